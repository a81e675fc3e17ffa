import { ref, watchEffect } from 'vue'
import { recall, remember } from '../shared/session.ts'

export type Theme = 'dark' | 'light'

const preferred = (): Theme => (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark')

/** What is shown now; kept with the workspace once the user has chosen. */
export const theme = ref<Theme>(preferred())
const chosen = ref<Theme>()

watchEffect(() => (document.documentElement.dataset.theme = theme.value))

export async function startTheme(): Promise<void> {
  chosen.value = await recall<Theme>('theme')
  theme.value = chosen.value ?? preferred()
  remember('theme', () => chosen.value ?? null)
}

export function toggleTheme(): void {
  theme.value = chosen.value = theme.value === 'dark' ? 'light' : 'dark'
}
