import { Argument, Command, Option, type CommanderError } from 'commander'
import type { Action } from '../actions/action.ts'
import { fieldsOf, type Field } from '../actions/fields.ts'
import { MindEyeError } from '../base/errors.ts'

/** The command line itself is wrong (exit code 2); the error to tell is in `cause`. */
export class UsageError extends Error {
  override readonly cause: MindEyeError

  constructor(cause: MindEyeError) {
    super(cause.message)
    this.cause = cause
  }
}

/** `batchSize` → `--batch-size`; a positional field is called by its place in the help, `PATHS`. */
export function optionName(action: Action, field: string): string {
  return action.positional?.includes(field) ? field.toUpperCase() : `--${kebab(field)}`
}

/**
 * Commander's program for the actions; parsing calls `onCall` with the chosen action and its raw input. Throws a `UsageError`
 * for what commander refuses; values are left to the schema, so that every host refuses them in the same words.
 */
export function buildProgram(
  actions: readonly Action[],
  onCall: (action: Action, input: Record<string, unknown>) => void,
): Command {
  const program = new Command('mindeye')
    .description('Decode seen images from fMRI: import a dataset, train a decoder, retrieve and score.')
    .exitOverride(refuse)
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .showSuggestionAfterError()
  for (const action of actions) addCommand(program, action, onCall)
  return program
}

function addCommand(
  program: Command,
  action: Action,
  onCall: (action: Action, input: Record<string, unknown>) => void,
): void {
  const fields = fieldsOf(action)
  const positional = (action.positional ?? []).map((name) => fields.find((field) => field.name === name)!)
  const command = program.command(action.name).summary(action.summary).description(action.summary)
  for (const field of positional) command.addArgument(toArgument(field))
  for (const field of fields) if (!positional.includes(field)) addOption(command, field)
  command.option('--json', 'print the result as one line of JSON')
  command.action((...received: unknown[]) => {
    const options = command.opts<Record<string, unknown>>()
    const words = received.slice(0, positional.length).flatMap((word) => (word === undefined ? [] : word)) as string[]
    // `--map a=b PATH`: an option that takes several pairs ends where a word is no pair.
    for (const { name, type } of fields) {
      const values = options[optionKey(name)]
      if (type !== 'map' && type !== 'list') continue
      if (!Array.isArray(values) || !String(values[0]).includes('=')) continue
      words.push(...(values as string[]).filter((value) => !value.includes('=')))
      options[optionKey(name)] = values.filter((value: string) => value.includes('='))
    }
    const input: Record<string, unknown> = {}
    for (const field of fields) {
      const given = positional.includes(field)
        ? takePositional(field, words)
        : (options[optionKey(field.name)] as string | boolean | string[] | undefined)
      if (given !== undefined) input[field.name] = parse(field, given)
    }
    if (words.length) throw tooMany(words)
    onCall(action, input)
  })
}

function takePositional(field: Field, words: string[]): string | string[] | undefined {
  if (field.type !== 'list') return words.shift()
  return words.length ? words.splice(0) : undefined
}

function toArgument(field: Field): Argument {
  const name = field.name.toUpperCase() + (field.type === 'list' ? '...' : '')
  // Optional to commander, so that a missing one is told by the schema and pairs can give words back.
  return new Argument(`[${name}]`, describe(field))
}

function addOption(command: Command, field: Field): void {
  const flag = `--${kebab(field.name)}`
  if (field.type === 'boolean')
    command.addOption(new Option(field.default === true ? `--no-${kebab(field.name)}` : flag, describe(field)))
  else command.addOption(new Option(`${flag} <${placeholder(field)}>`, describe(field)))
}

/** A longer one would push all descriptions to the right; they name the choices anyway. */
const LONGEST_PLACEHOLDER = 24

function placeholder(field: Field): string {
  if (field.type === 'map') return 'name=value...'
  if (field.type === 'list') return field.item === 'number' ? 'n,n' : 'value...'
  if (field.type === 'number') return 'n'
  const choices = field.choices?.join('|')
  return choices && choices.length <= LONGEST_PLACEHOLDER ? choices : 'value'
}

function describe({ description, required, default: preset, choices, type }: Field): string {
  const notes = [
    ...(required ? ['required'] : []),
    ...(choices && type === 'string' ? [`one of ${choices.join(', ')}`] : []),
    ...(preset !== undefined && preset !== true && preset !== false ? [`default ${JSON.stringify(preset)}`] : []),
  ]
  return notes.length ? `${description} (${notes.join('; ')})` : description
}

/** Text → what the schema expects; what does not parse is passed on as text for the schema to refuse. */
function parse(field: Field, given: string | boolean | string[]): unknown {
  if (field.type === 'number') return toNumber(String(given))
  if (field.type === 'list' && field.item === 'number') return String(given).split(',').map(toNumber)
  if (field.type !== 'map') return given
  return Object.fromEntries(
    [given].flat().map((pair) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(String(pair)) ?? []
      if (name === undefined) throw badPair(field, String(pair))
      return [name, field.item === 'string' ? value : toValue(value)]
    }),
  )
}

function toNumber(text: string): number | string {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

function toValue(text: string): unknown {
  return text === 'true' ? true : text === 'false' ? false : toNumber(text)
}

/** Commander calls this instead of leaving the process; having printed the help comes through as its own error. */
function refuse(error: CommanderError): never {
  if (error.exitCode === 0) throw error
  const [, message] = /^(?:error: )?(.*)$/s.exec(error.message)!
  throw new UsageError(
    new MindEyeError({
      kind: 'input',
      where: 'the command line',
      expected: 'a command and its options',
      found: message.replaceAll('\n', ' ').replace(/[. ]+$/, ''),
      fix: 'See `mindeye help` and `mindeye COMMAND --help`.',
    }),
  )
}

function tooMany(words: string[]): UsageError {
  const found = `${words.map((word) => `'${word}'`).join(' ')} more`
  return new UsageError(
    new MindEyeError({ kind: 'input', where: 'the command line', expected: 'no further words', found }),
  )
}

function badPair(field: Field, pair: string): UsageError {
  const where = `--${kebab(field.name)}`
  return new UsageError(new MindEyeError({ kind: 'input', where, expected: 'name=value', found: `'${pair}'` }))
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** The key under which commander keeps an option: it turns `--batch-size` back into `batchSize`. */
function optionKey(name: string): string {
  return kebab(name).replaceAll(/-./g, (text) => text[1].toUpperCase())
}
