import { toast } from './toasts.ts'

/** Copies text and says so; `what` is the object of "Copied the …". */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(`Copied the ${what}`)
  } catch {
    toast(`This browser does not let the page copy; select the ${what} by hand`)
  }
}
