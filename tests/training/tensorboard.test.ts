import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crc32c, openEventWriter } from '../../src-main/training/tensorboard.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mindeye-events-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const files = () => readdirSync(directory).sort()
const bytesOf = (name: string) => readFileSync(join(directory, name)).toString('hex')

/*
 * The reference bytes are tensorboard 2.21.0's:
 *   from tensorboard.compat.proto.event_pb2 import Event, SessionLog
 *   from tensorboard.compat.proto.summary_pb2 import Summary
 *   from tensorboard.summary.writer.record_writer import RecordWriter
 *   w = RecordWriter(open('reference', 'wb'))
 *   w.write(Event(wall_time=1700000000.5, file_version='brain.Event:2').SerializeToString(deterministic=True))
 *   w.write(Event(wall_time=1700000000.5, step=300, summary=Summary(value=[Summary.Value(tag='train/loss',
 *     simple_value=.25), Summary.Value(tag='lr', simple_value=3e-4)])).SerializeToString(deterministic=True))
 * and, resumed, the same version record at 1600000000 s and
 *   w.write(Event(wall_time=1600000000, step=7, session_log=SessionLog(status=SessionLog.START)).SerializeToString())
 */
describe('TensorBoard events', () => {
  it('checksums as RFC 3720, appendix B.4, does', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  })

  it('writes the bytes that TensorBoard writes', () => {
    const writer = openEventWriter(directory, undefined, () => 1700000000.5)
    writer.scalars(300, { 'train/loss': 0.25, lr: 3e-4 })
    writer.close()
    expect(files()).toEqual(['events.out.tfevents.1700000000.mindeye'])
    expect(bytesOf(files()[0])).toBe(
      [
        '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b3531102c00000000000000',
        'f4aecc450900002040fc54d94110ac022a1e0a110a0a747261696e2f6c6f7373150000803e0a090a026c721552499d39',
        '452dadc3',
      ].join(''),
    )
  })

  it('begins a later file on resume, which says from where on earlier points are void', () => {
    openEventWriter(directory, undefined, () => 1700000000).close()
    openEventWriter(directory, 7, () => 1600000000).close() // the clock was set back
    expect(files()).toEqual(['events.out.tfevents.1700000000.mindeye', 'events.out.tfevents.1700000001.mindeye'])
    expect(bytesOf(files()[1])).toBe(
      [
        '1800000000000000a37f4b22090000000084d7d7411a0d627261696e2e4576656e743a32253c71d00f00000000000000',
        '6d532b09090000000084d7d74110073a0208019dba0acf',
      ].join(''),
    )
  })

  it('never writes into a file of an earlier session', () => {
    openEventWriter(directory, undefined, () => 1700000000).close()
    const before = bytesOf(files()[0])
    const writer = openEventWriter(directory, 1, () => 1700000000)
    writer.scalars(2 ** 33, { loss: NaN })
    writer.close()
    expect(bytesOf(files()[0])).toBe(before)
    expect(files().length).toBe(2)
  })
})
