/** NumPy's .npz: a zip archive with one .npy per array. */
import { formatError } from '../base/errors.ts'
import type { ArrayEntry, ArrayFile } from './array.ts'
import { npyEntry } from './npy.ts'
import type { ByteSource } from './source.ts'
import { readZip } from './zip.ts'
import type { ZipMember } from './zip.ts'

/** Arrays by name, without `.npy`. Stored arrays are read in slices; deflated ones are inflated whole, up to their declared size. */
export function openNpz(source: ByteSource): ArrayFile {
  let last: { member: ZipMember; content: ByteSource } | undefined
  /** The array inflated last is kept, so that reading its rows one after the other inflates it once. */
  function content(member: ZipMember): ByteSource {
    if (last?.member !== member) last = { member, content: member.content() }
    return last.content
  }
  const arrays = readZip(source).map((member): ArrayEntry => {
    const { name, deflated } = member
    if (!name.endsWith('.npy'))
      throw formatError(
        source.name,
        name,
        'a member that ends in .npy',
        'another file',
        'This is a zip archive, but not an .npz.',
      )
    const key = name.slice(0, -'.npy'.length)
    if (!deflated) return npyEntry(member.content(), key)
    const entry = npyEntry(declaredSize(member), key)
    const whole = () => npyEntry(content(member), key)
    return { ...entry, read: () => whole().read(), readRows: (start, stop) => whole().readRows(start, stop) }
  })
  return {
    arrays,
    close() {
      last = undefined
      source.close()
    },
  }
}

/** The beginning of a deflated member with the size of all of it, so that its header can be checked against that. */
function declaredSize(member: ZipMember): ByteSource {
  return { ...member.beginning(), size: member.size }
}
