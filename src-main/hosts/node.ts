/** Entry of `npm run serve`: the app on 127.0.0.1. Its address, with token, is the only line on stdout. */
import { Console } from 'node:console'
import { toMindEyeError } from '../base/failure.ts'
import { readArguments, serve, serveOptions, serveUsage } from './serveCommand.ts'

globalThis.console = new Console(process.stderr)
const say = (line: string) => void process.stderr.write(`${line}\n`)

try {
  const values = readArguments(serveOptions, serveUsage)
  if (values.help) say(`Usage: npm run serve -- [options]\n${serveUsage}`)
  else await serve(values, say)
} catch (error) {
  say(toMindEyeError(error).message)
  process.exitCode = 1
}
