/**
 * TensorBoard event files: TFRecord frames (tensorflow/core/lib/io/record_writer.h) around Event messages
 * (tensorflow/core/util/event.proto), of which scalars need only a few fields.
 */
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export interface EventWriter {
  /** Appends one event: values by tag, e.g. `train/loss`. In the file when the call returns. */
  scalars(step: number, values: Readonly<Record<string, number>>): void
  close(): void
}

/**
 * Begins a new event file in `directory` (created when missing). With `resumeStep` TensorBoard forgets the points that
 * earlier files have at that step and later, so a run that was killed after its last checkpoint shows each step once.
 * `now` gives Unix seconds.
 */
export function openEventWriter(directory: string, resumeStep?: number, now = () => Date.now() / 1000): EventWriter {
  mkdirSync(directory, { recursive: true })
  // TensorBoard reads the files in the order of their names, so a file must sort behind all before it, whatever the clock says.
  const earlier = readdirSync(directory).map((name) => Number(/^events\.out\.tfevents\.(\d+)\./.exec(name)?.[1] ?? 0))
  const stamp = Math.max(Math.floor(now()), ...earlier.map((seconds) => seconds + 1))
  const file = openSync(join(directory, `events.out.tfevents.${String(stamp).padStart(10, '0')}.mindeye`), 'wx')
  const append = (step: number, field: Uint8Array) =>
    writeSync(file, frame(Buffer.concat([doubleField(1, now()), step ? varintField(2, step) : Buffer.of(), field])))

  append(0, textField(3, 'brain.Event:2'))
  if (resumeStep !== undefined) append(resumeStep, bytesField(7, varintField(1, 1))) // SessionLog.START
  return {
    scalars(step, values) {
      const summary = Object.entries(values).map(([tag, value]) =>
        bytesField(1, Buffer.concat([textField(1, tag), floatField(2, value)])),
      )
      append(step, bytesField(5, Buffer.concat(summary)))
    },
    close: () => closeSync(file),
  }
}

/** Length, its checksum, the data, their checksum; little-endian. */
function frame(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(data.length + 16)
  framed.writeBigUInt64LE(BigInt(data.length), 0)
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8)
  framed.set(data, 12)
  framed.writeUInt32LE(maskedCrc32c(data), 12 + data.length)
  return framed
}

/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, one entry per byte value. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) crc = (crc >>> 8) ^ crcTable[(crc ^ byte) & 255]
  return ~crc >>> 0
}

/** TFRecord rotates and shifts the checksum, because a checksum of data that hold checksums is weak. */
function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

// Protocol buffer fields: the key holds the field's number and its wire type.

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Buffer.from([...bytes, value])
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)])
}

function doubleField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(9, varint((field << 3) | 1))
  bytes.writeDoubleLE(value, 1)
  return bytes
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])
}

function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text, 'utf8'))
}

function floatField(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(5, varint((field << 3) | 5))
  bytes.writeFloatLE(value, 1)
  return bytes
}
