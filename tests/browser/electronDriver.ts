import { _electron, type Page } from 'playwright-core'
import { layout } from '../../src-main/base/layout.ts'
import type { NodeHost } from '../../src-main/hosts/nodeServer.ts'
import { electronProgram } from './electronProgram.ts'

/** Whether this run is that of the project `electron`, which clicks through the same tests in the app's own window. */
export const inElectron = process.env.MINDEYE_BROWSER === 'electron'

/** The app's window on a workspace; what stands for the Node host has its address and `close` only. */
export async function openElectron(
  workspace: string,
  theme: 'dark' | 'light',
): Promise<{ page: Page; host: NodeHost; close(): Promise<void> }> {
  const app = await _electron.launch({
    executablePath: electronProgram(),
    args: [
      layout.root,
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--workspace', workspace],
    ],
  })
  const page = await app.firstWindow()
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
  const address = 'app://mindeye/'
  const close = () => app.close()
  return { page, close, host: { address, port: 0, token: '', addressForOnce: () => address, close } }
}

/** Files with their paths, as a drop from a file manager has them: the page's own cannot have any. */
export async function dropWithPaths(page: Page, paths: string[], target: string): Promise<void> {
  await page.evaluate(() => {
    const input = Object.assign(document.createElement('input'), { type: 'file', multiple: true, id: 'dropped' })
    document.body.append(input)
  })
  await page.setInputFiles('#dropped', paths)
  await page.evaluate((target) => {
    const input = document.querySelector<HTMLInputElement>('#dropped')!
    const transfer = new DataTransfer()
    for (const file of input.files!) transfer.items.add(file)
    input.remove()
    for (const type of ['dragenter', 'dragover', 'drop'])
      document
        .querySelector(target)!
        .dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }))
  }, target)
}
