/**
 * Lint rule: imports point one way through the rooms of src-main, and only the files that may know a TensorFlow backend or
 * Electron import them. Type imports count too: an arrow is an arrow.
 */
import { dirname, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Rooms by layer, lowest first. A room imports itself and lower layers; rooms of the middle layer also each other. */
const LAYERS = [
  ['base'],
  ['formats'],
  ['engine'],
  ['nn'],
  ['diffusion'],
  ['models'],
  ['workspace', 'subjects', 'training', 'retrieval', 'reconstruction', 'evaluation', 'figures'],
  ['actions'],
  ['api'],
  ['app.ts'],
  ['hosts'],
]
const MIDDLE = 6
const layerOf = (room) => LAYERS.findIndex((rooms) => rooms.includes(room))

const ELECTRON_FILES = ['src-main/hosts/electron.ts', 'src-main/hosts/preload.ts']
const BACKEND_FILE = 'src-main/engine/backend.ts'

/** @returns {string | undefined} what is wrong with `file` (relative to the repository) importing `source` */
export function complaint(file, source, isType) {
  if (/^electron($|\/)/.test(source) && !ELECTRON_FILES.includes(file))
    return `only ${ELECTRON_FILES.join(' and ')} import electron`
  if (/^@tensorflow\/(?!tfjs-core($|\/))/.test(source) && file !== BACKEND_FILE)
    return `only ${BACKEND_FILE} imports a TensorFlow.js backend; use @tensorflow/tfjs-core`
  if (!source.startsWith('.')) return undefined

  const target = relative(root, resolve(root, dirname(file), source))
    .split(sep)
    .join('/')
  if (!target.startsWith('src-main/')) return undefined
  if (file.startsWith('src-renderer/')) return isType ? undefined : 'the renderer imports only types from src-main'
  if (!file.startsWith('src-main/')) return undefined

  const [from, to] = [file, target].map((path) => path.split('/')[1])
  const [fromLayer, toLayer] = [layerOf(from), layerOf(to)]
  if (fromLayer < 0 || toLayer < 0)
    return `src-main/${fromLayer < 0 ? from : to} is no known room; rooms are listed in scripts/lint/rooms.mjs`
  if (from === to) return undefined
  if (from === 'formats' || from === 'engine') return to === 'base' ? undefined : `${from}/ imports nothing but base/`
  if (to === 'engine' && fromLayer <= MIDDLE && target !== BACKEND_FILE)
    return `${from}/ uses of engine/ only backend.ts; processes are the actions' and hosts' business`
  if (toLayer < fromLayer || (toLayer === fromLayer && fromLayer === MIDDLE)) return undefined
  return `${from}/ must not import ${to}/: arrows point from ${to}/ to ${from}/`
}

/** @type {import('eslint').Rule.RuleModule} */
const importDirection = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = relative(root, context.filename).split(sep).join('/')
    const check = (node, source, isType = false) => {
      if (typeof source?.value !== 'string') return
      const message = complaint(file, source.value, isType)
      if (message) context.report({ node, message })
    }
    return {
      ImportDeclaration: (node) => check(node, node.source, node.importKind === 'type'),
      ExportNamedDeclaration: (node) => check(node, node.source, node.exportKind === 'type'),
      ExportAllDeclaration: (node) => check(node, node.source, node.exportKind === 'type'),
      ImportExpression: (node) => check(node, node.source),
      TSImportType: (node) => check(node, node.source ?? node.argument?.literal, true),
      'CallExpression[callee.name="require"]': (node) => check(node, node.arguments[0]),
    }
  },
}

export default { rules: { 'import-direction': importDirection } }
