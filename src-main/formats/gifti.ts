/** GIFTI 1.0 (NITRC): surfaces, maps and labels of the cortex as XML with arrays inside. */
import { formatError } from '../base/errors.ts'
import type { DType, NdArray } from './array.ts'
import { checkedByteLength, fromBytes, itemSize, toRowMajor } from './elements.ts'
import type { NamedLabel } from './freesurferLabels.ts'
import { gunzipWhole } from './gzip.ts'
import { inflateExactly } from './inflate.ts'
import type { ByteSource } from './source.ts'
import { readXml } from './xml.ts'

export interface GiftiArray extends NdArray {
  /** Without `NIFTI_INTENT_`: `POINTSET`, `TRIANGLE`, `SHAPE`, `LABEL`, `TIME_SERIES`, … */
  intent: string
  metadata: ReadonlyMap<string, string>
  /** Of a point set: the space that the points are in, e.g. `NIFTI_XFORM_SCANNER_ANAT`. */
  dataSpace?: string
}

export interface GiftiFile {
  metadata: ReadonlyMap<string, string>
  labels: NamedLabel[]
  arrays: GiftiArray[]
}

/** The standard's three types, and those that files have besides. */
const types: Readonly<Record<string, DType>> = {
  NIFTI_TYPE_UINT8: 'uint8',
  NIFTI_TYPE_INT32: 'int32',
  NIFTI_TYPE_FLOAT32: 'float32',
  NIFTI_TYPE_FLOAT64: 'float64',
  NIFTI_TYPE_INT8: 'int8',
  NIFTI_TYPE_INT16: 'int16',
  NIFTI_TYPE_UINT16: 'uint16',
  NIFTI_TYPE_UINT32: 'uint32',
}
const maxAxes = 6
/** A string of JavaScript cannot be much longer. */
const maxText = 400 * 2 ** 20

/**
 * Reads a GIFTI file, plain or gzipped, with arrays in ASCII, base64 and compressed base64. Throws a format error for arrays in
 * files of their own, sizes that the text does not hold, and damaged XML.
 */
export function readGifti(source: ByteSource): GiftiFile {
  const where = source.name
  const isGzipped = source.size >= 2 && source.read(0, 2).join() === '31,139'
  if (!isGzipped && source.size > maxText)
    throw formatError(where, 'size', `at most ${maxText} bytes of XML`, `${source.size}`)
  const bytes = isGzipped ? gunzipWhole(source, maxText) : source.read(0, source.size)
  const builder = new Builder(where)
  readXml(where, Buffer.from(bytes).toString('utf8'), builder)
  return builder.file()
}

type Attributes = ReadonlyMap<string, string>

/** Puts the file together while the XML passes by. */
class Builder {
  private readonly where: string
  private readonly metadata = new Map<string, string>()
  private readonly labels: NamedLabel[] = []
  private readonly arrays: GiftiArray[] = []
  private declared?: number
  private array?: { attributes: Attributes; metadata: Map<string, string>; dataSpace?: string; read?: NdArray }
  private label?: Attributes
  private name = ''
  private path: string[] = []
  /** Texts since the last tag; joined when it is known that they are wanted. */
  private texts: string[] = []

  constructor(where: string) {
    this.where = where
  }

  open(name: string, attributes: Attributes): void {
    this.path.push(name)
    this.texts = []
    if (this.path.length === 1) {
      if (name !== 'GIFTI') throw this.bad('outermost element', '<GIFTI>', `<${name}>`)
      const count = Number(attributes.get('NumberOfDataArrays') ?? NaN)
      if (Number.isInteger(count)) this.declared = count
    }
    if (name === 'DataArray') {
      if (this.array) throw this.bad('DataArray', 'no array inside another', 'one')
      this.array = { attributes, metadata: new Map() }
    }
    if (name === 'Label') this.label = attributes
  }

  text(text: string): void {
    if (/^(Data|Name|Value|Label|DataSpace)$/.test(this.path.at(-1)!)) this.texts.push(text)
  }

  close(name: string): void {
    this.path.pop()
    const text = this.texts.length === 1 ? this.texts[0] : this.texts.join('')
    this.texts = []
    const parent = this.path.at(-1)
    if (name === 'Name' && parent === 'MD') this.name = text.trim()
    if (name === 'Value' && parent === 'MD') (this.array?.metadata ?? this.metadata).set(this.name, text.trim())
    if (name === 'DataSpace' && this.array) this.array.dataSpace = text.trim()
    if (name === 'Label' && this.label) this.labels.push(this.readLabel(this.label, text.trim()))
    if (name === 'Data' && this.array && parent === 'DataArray')
      this.array.read = this.readData(this.array.attributes, text)
    if (name === 'DataArray' && this.array) {
      const { attributes, metadata, dataSpace, read } = this.array
      if (!read) throw this.bad(this.field, 'data', 'none')
      const intent = (attributes.get('Intent') ?? 'NONE').replace(/^NIFTI_INTENT_/, '')
      this.arrays.push({ ...read, intent, metadata, dataSpace })
      this.array = undefined
    }
  }

  file(): GiftiFile {
    if (this.declared !== undefined && this.declared !== this.arrays.length)
      throw this.bad('NumberOfDataArrays', `${this.arrays.length}, as there are`, `${this.declared}`)
    return { metadata: this.metadata, labels: this.labels, arrays: this.arrays }
  }

  private get field(): string {
    return `array ${this.arrays.length}`
  }

  private bad(field: string, expected: string, found: string, fix?: string) {
    return formatError(this.where, field, expected, found.slice(0, 120) || 'nothing', fix)
  }

  private readLabel(attributes: Attributes, name: string): NamedLabel {
    const index = Number(attributes.get('Key') ?? attributes.get('Index') ?? NaN)
    const parts = ['Red', 'Green', 'Blue'].map((part) => Number(attributes.get(part) ?? 0.5))
    if (!Number.isInteger(index) || !parts.every((part) => part >= 0 && part <= 1))
      throw this.bad(
        `label ${this.labels.length}`,
        'a key and a colour from 0 to 1',
        [...attributes.values()].join(' '),
      )
    return { index, name, colour: parts.map((part) => Math.round(part * 255)) as NamedLabel['colour'] }
  }

  private readData(attributes: Attributes, text: string): NdArray {
    const get = (name: string): string => attributes.get(name) ?? ''
    const { where, field } = this
    const dtype = Object.hasOwn(types, get('DataType')) ? types[get('DataType')] : undefined
    if (!dtype) throw this.bad(`${field}, DataType`, Object.keys(types).join(', '), get('DataType'))
    const rank = Number(get('Dimensionality') || NaN)
    if (!Number.isInteger(rank) || rank < 1 || rank > maxAxes)
      throw this.bad(`${field}, Dimensionality`, `1 to ${maxAxes}`, get('Dimensionality'))
    const shape = Array.from({ length: rank }, (_, axis) => Number(get(`Dim${axis}`) || NaN))
    const bytes = checkedByteLength(where, `${field}, Dim`, dtype, shape)
    const data = decode(where, field, get('Encoding'), text, { dtype, bytes, isLittle: get('Endian') !== 'BigEndian' })
    const isColumns = get('ArrayIndexingOrder') === 'ColumnMajorOrder'
    return { dtype, shape, data: isColumns ? toRowMajor(data, shape) : data }
  }
}

interface Declared {
  dtype: DType
  bytes: number
  isLittle: boolean
}

function decode(where: string, field: string, encoding: string, text: string, declared: Declared): NdArray['data'] {
  const { dtype, bytes, isLittle } = declared
  switch (encoding) {
    case 'ASCII':
      return parseNumbers(where, field, text, dtype, bytes / itemSize(dtype))
    case 'Base64Binary': {
      const found = fromBase64(where, field, text)
      if (found.length !== bytes)
        throw formatError(where, field, `${bytes} bytes, as the dimensions say`, `${found.length}`)
      return fromBytes(found, dtype, isLittle)
    }
    case 'GZipBase64Binary': {
      const packed = fromBase64(where, field, text)
      // Called gzip by the standard, zlib in what everyone writes.
      const wrapper = packed[0] === 0x1f && packed[1] === 0x8b ? 'gzip' : 'zlib'
      return fromBytes(inflateExactly(where, field, packed, bytes, wrapper), dtype, isLittle)
    }
    case 'ExternalFileBinary':
      throw formatError(
        where,
        field,
        'the data inside the file',
        'the name of another file',
        'Save it as one file, e.g. with nibabel.',
      )
    default:
      throw formatError(where, `${field}, Encoding`, 'ASCII, Base64Binary or GZipBase64Binary', encoding || 'nothing')
  }
}

/** Node decodes whatever it is given, so that foreign characters are looked for here. */
function fromBase64(where: string, field: string, text: string): Buffer {
  const plain = /\s/.test(text) ? text.replace(/\s+/g, '') : text
  const body = plain.replace(/={1,2}$/, '')
  if (plain.length % 4 || /[^A-Za-z0-9+/]/.test(body)) throw formatError(where, field, 'base64', 'something else')
  return Buffer.from(plain, 'base64')
}

function parseNumbers(where: string, field: string, text: string, dtype: DType, count: number): NdArray['data'] {
  // A number takes one character and a space at least.
  if (count > (text.length + 1) / 2) throw formatError(where, field, `${count} numbers`, `${text.length} characters`)
  const out = fromBytes(new Uint8Array(count * itemSize(dtype)), dtype)
  const isWhole = !dtype.startsWith('float')
  let i = 0
  for (const [word] of text.matchAll(/\S+/g)) {
    const value = /^[-+]?(inf|nan)/i.test(word) ? specialNumber(word) : Number(word)
    if (i >= count || (Number.isNaN(value) && !/nan/i.test(word)) || (isWhole && !Number.isInteger(value)))
      throw formatError(
        where,
        `${field}, number ${i}`,
        i >= count ? `${count} numbers` : `${dtype} numbers`,
        JSON.stringify(word.slice(0, 40)),
      )
    out[i++] = value
  }
  if (i !== count) throw formatError(where, field, `${count} numbers`, `${i}`)
  return out
}

function specialNumber(word: string): number {
  if (/nan/i.test(word)) return NaN
  return word.startsWith('-') ? -Infinity : Infinity
}
