import type { Link } from '../../src-main/engine/doctor.ts'

/** The chain as text for a bug report. Of paths only the last part is told: the rest names the user and the machine. */
export const reportText = (links: readonly Link[]): string =>
  links
    .map(({ name, ok, detail, fix }) => {
      const mend = fix ? `\n        fix: ${fix}` : ''
      return withoutFolders(`${ok ? 'ok     ' : 'BROKEN '} ${name}: ${detail}${mend}`)
    })
    .join('\n')

const withoutFolders = (text: string): string =>
  text.replace(/(?<![\w./:])(?:[A-Za-z]:)?[\\/](?:[^\s\\/,;:'"]+[\\/])+/g, '…/')
