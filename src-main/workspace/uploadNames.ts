import { MindEyeError } from '../base/errors.ts'

const MOST_PARTS = 12
const MOST_BYTES = 200
/** Windows keeps these names, with any ending, for devices. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/**
 * The parts of a relative path such as `subj01/train/a.tar`, each a name that every file system takes: characters that some refuse
 * become `_`. Throws an input error for whatever points out of its folder: an absolute path, `..`, a backslash, a drive.
 */
export function safeParts(path: string): string[] {
  const parts = path.split('/')
  const bad =
    parts.length > MOST_PARTS
      ? `${parts.length} folders deep`
      : parts.some(
            (part) => part === '' || part === '.' || part === '..' || /[\\\0]/.test(part) || /^[a-z]:$/i.test(part),
          )
        ? 'a path that leaves its folder'
        : undefined
  if (bad)
    throw new MindEyeError({
      kind: 'input',
      where: JSON.stringify(path.slice(0, 200)),
      expected: `a name, or a path inside the dropped folder of at most ${MOST_PARTS} parts`,
      found: bad,
    })
  return parts.map(safeName)
}

function safeName(name: string): string {
  const plain = name
    .normalize('NFC')
    .replaceAll(/[\x00-\x1f<>:"|?*\x7f]/g, '_')
    .replace(/[. ]+$/, '_')
    // A hidden file would be left out when its folder is read.
    .replace(/^\./, '_')
  return shortened(deviceName.test(plain) ? `_${plain}` : plain)
}

/** File systems take 255 bytes; the ending says what a file is, so it stays. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= MOST_BYTES) return name
  const ending = /(\.[A-Za-z0-9]{1,8}){0,2}$/.exec(name)?.[0] ?? ''
  let stem = name.slice(0, name.length - ending.length)
  while (Buffer.byteLength(stem) + ending.length > MOST_BYTES) stem = [...stem].slice(0, -1).join('')
  return stem + ending
}
