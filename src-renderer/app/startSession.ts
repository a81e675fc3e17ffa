import { watch } from 'vue'
import type { RouteLocationNormalizedLoaded, Router } from 'vue-router'
import { useHistory } from '../shared/history.ts'
import { recall, remember } from '../shared/session.ts'
import { useSelection } from '../shared/selection.ts'
import { useWorkspace } from '../shared/workspace.ts'

interface Session {
  place?: string
  subject?: string
  run?: string
  trial?: number
}

/** Goes on where the last window of this workspace ended; a subject is selected as soon as there is one. */
export async function startSession(router: Router, route: RouteLocationNormalizedLoaded): Promise<void> {
  const selection = useSelection()
  const workspace = useWorkspace()
  const history = useHistory()
  const last = (await recall<Session>('session')) ?? {}
  const isFresh = location.hash === '' || location.hash === '#/'
  watch(
    () => workspace.ready && workspace.subjects,
    (subjects) => {
      if (!subjects || (selection.subject && workspace.subjectOf(selection.subject))) return
      const subject = workspace.subjectOf(last.subject) ?? subjects[0]
      selection.selectSubject(subject?.id)
      void history.forget()
      if (!subject || subject.id !== last.subject) return
      if (workspace.runOf(last.run)) selection.selectRun(last.run)
      if (last.trial !== undefined && last.trial < subject.trials) selection.selectTrial(last.trial)
    },
    { immediate: true },
  )
  if (isFresh && last.place && router.hasRoute(last.place)) await router.replace({ name: last.place })
  remember('session', () => {
    const { subject, run, trial } = selection
    return { place: route.name, subject, run, trial }
  })
}
