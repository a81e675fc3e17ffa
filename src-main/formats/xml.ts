import { formatError } from '../base/errors.ts'

export interface XmlVisitor {
  open(name: string, attributes: ReadonlyMap<string, string>): void
  /** Text between tags, entities resolved; a stretch of it may come in several pieces. */
  text(text: string): void
  close(name: string): void
}

const maxDepth = 32
const maxTag = 1 << 16
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/**
 * Walks through XML without building a tree: what scientific data files use of it, and nothing that could reach other files
 * or grow. A document type is skipped, entities other than the five of XML itself are refused. Throws a format error where
 * tags do not match.
 */
export function readXml(where: string, text: string, visitor: XmlVisitor): void {
  const open: string[] = []
  let roots = 0
  for (let at = 0; at < text.length;) {
    const tag = text.indexOf('<', at)
    const end = tag < 0 ? text.length : tag
    if (open.length) visitor.text(resolve(where, text.slice(at, end)))
    else if (/[^\s\ufeff]/.test(text.slice(at, end))) throw wrong(where, at, 'a tag', 'text')
    if (tag < 0) break
    const skipped = skip(where, text, tag)
    if (skipped) {
      if (skipped.content !== undefined && open.length) visitor.text(skipped.content)
      at = skipped.end
      continue
    }
    const close = text.indexOf('>', tag)
    if (close < 0 || close - tag > maxTag)
      throw wrong(where, tag, `a tag of at most ${maxTag} characters`, 'no end of it')
    const inner = text.slice(tag + 1, close)
    at = close + 1
    if (inner.startsWith('/')) {
      const name = inner.slice(1).trim()
      if (open.pop() !== name) throw wrong(where, tag, 'the end of the tag that is open', `</${name.slice(0, 40)}>`)
      visitor.close(name)
      continue
    }
    const isEmpty = inner.endsWith('/')
    const { name, attributes } = parseTag(where, tag, isEmpty ? inner.slice(0, -1) : inner)
    if (!open.length && roots++) throw wrong(where, tag, 'one outermost element', `another, <${name}>`)
    if (open.length >= maxDepth) throw wrong(where, tag, `at most ${maxDepth} levels of nesting`, 'more')
    visitor.open(name, attributes)
    if (isEmpty) visitor.close(name)
    else open.push(name)
  }
  if (open.length || !roots)
    throw wrong(where, text.length, open.length ? `</${open.at(-1)}>` : 'an element', 'the end of the file')
}

/** Comments, processing instructions, document types and CDATA: where they end, and what text they hold. */
function skip(where: string, text: string, at: number): { end: number; content?: string } | undefined {
  const until = (mark: string, from: number): number => {
    const end = text.indexOf(mark, from)
    if (end < 0) throw wrong(where, at, mark, 'the end of the file')
    return end + mark.length
  }
  if (text.startsWith('<!--', at)) return { end: until('-->', at + 4) }
  if (text.startsWith('<?', at)) return { end: until('?>', at + 2) }
  if (text.startsWith('<![CDATA[', at)) {
    const end = until(']]>', at + 9)
    return { end, content: text.slice(at + 9, end - 3) }
  }
  if (!text.startsWith('<!', at)) return undefined
  const end = until('>', at)
  if (text.slice(at, end).includes('[')) throw wrong(where, at, 'no declarations inside the file', 'some')
  return { end }
}

function parseTag(where: string, at: number, tag: string): { name: string; attributes: Map<string, string> } {
  const inner = tag.trimEnd()
  const name = /^[A-Za-z_][\w.:-]*/.exec(inner)?.[0]
  if (!name) throw wrong(where, at, 'the name of a tag', JSON.stringify(inner.slice(0, 40)))
  const attributes = new Map<string, string>()
  const pair = /\s+([A-Za-z_][\w.:-]*)\s*=\s*("[^"<]*"|'[^'<]*')/y
  for (let from = name.length; from < inner.length; from = pair.lastIndex) {
    pair.lastIndex = from
    const found = pair.exec(inner)
    if (!found || attributes.has(found[1]))
      throw wrong(where, at, 'attributes as NAME="VALUE", each once', JSON.stringify(inner.slice(from, from + 80)))
    attributes.set(found[1], resolve(where, found[2].slice(1, -1)))
  }
  return { name, attributes }
}

function resolve(where: string, text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(#x?[0-9A-Fa-f]+|\w+)?;?/g, (all, name: string | undefined) => {
    const known = name && Object.hasOwn(entities, name) ? entities[name] : undefined
    if (known !== undefined) return known
    const code = name?.startsWith('#x')
      ? parseInt(name.slice(2), 16)
      : name?.startsWith('#')
        ? Number(name.slice(1))
        : NaN
    if (!(code > 0 && code <= 0x10ffff))
      throw formatError(where, 'text', 'the entities of XML itself', all.slice(0, 40))
    return String.fromCodePoint(code)
  })
}

const wrong = (where: string, at: number, expected: string, found: string) =>
  formatError(where, `character ${at}`, expected, found, 'The file is damaged.')
