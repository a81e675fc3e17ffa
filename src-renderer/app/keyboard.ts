import { onScopeDispose } from 'vue'
import { useCommands } from './commands.ts'

const isMac = /Mac|iPhone|iPad/.test(navigator.platform)

/** `Mod+Shift+Z` → what is printed on this machine's keys. */
export function keyText(keys: string): string {
  const names: Record<string, string> = {
    Mod: isMac ? '⌘' : 'Ctrl',
    Shift: isMac ? '⇧' : 'Shift',
    Alt: isMac ? '⌥' : 'Alt',
    ArrowUp: '↑',
    ArrowDown: '↓',
    ArrowLeft: '←',
    ArrowRight: '→',
    Escape: 'Esc',
  }
  return keys
    .split('+')
    .map((part) => names[part] ?? part)
    .join(isMac ? '' : '+')
}

/** The event as `Mod+Shift+Z`; a letter by its key, a digit by what it types. */
function written(event: KeyboardEvent): string {
  const key = event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toUpperCase() : event.key
  const isLetter = /^[A-Z]$/.test(key)
  return [
    (isMac ? event.metaKey : event.ctrlKey) && 'Mod',
    event.altKey && 'Alt',
    // Shift is part of what other keys type already.
    event.shiftKey && (isLetter || key.length > 1) && 'Shift',
    key,
  ]
    .filter(Boolean)
    .join('+')
}

/** Keys belong to a control that takes text, or that moves by them. */
function isTaken(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null
  if (!target || event.ctrlKey || event.metaKey || event.altKey) return false
  if (target.closest('input, textarea, select, [contenteditable], [role="menu"], [role="listbox"], [role="dialog"]'))
    return true
  if (
    /^Arrow|^Home$|^End$|^Page/.test(event.key) &&
    target.closest('[role="slider"], [role="radiogroup"], [role="tablist"], [role="grid"], [role="separator"]')
  )
    return true
  return (
    /^( |Enter)$/.test(event.key) &&
    target.closest('button, a, summary, [role="switch"], [role="tab"], [role="option"]') !== null
  )
}

/** Runs the commands by their keys; the one registered last wins. */
export function useKeyboard(): void {
  const commands = useCommands()
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || isTaken(event)) return
    const keys = written(event)
    const command = commands.possible().findLast((one) => [one.keys ?? []].flat().includes(keys))
    if (!command) return
    event.preventDefault()
    command.run(event)
  }
  window.addEventListener('keydown', onKey)
  onScopeDispose(() => window.removeEventListener('keydown', onKey))
}
