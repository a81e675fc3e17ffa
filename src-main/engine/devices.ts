import { execFile } from 'node:child_process'
import { cpus } from 'node:os'

/** Something that can compute. */
export interface Device {
  /** `cpu`, or the number of a graphics card as nvidia-smi counts. */
  id: string
  name: string
  /** Of the card, in bytes. */
  memory?: { total: number; free: number }
}

const MIB = 2 ** 20

/** The processor and the NVIDIA cards that the driver reports. */
export async function listDevices(): Promise<Device[]> {
  const processor = { id: 'cpu', name: cpus()[0]?.model.trim() ?? 'processor' }
  const cards = await query('index,name,memory.total,memory.free')
  return [
    processor,
    ...cards.map(([id, name, total, free]) => ({
      id,
      name,
      memory: { total: Number(total) * MIB, free: Number(free) * MIB },
    })),
  ]
}

/** The environment in which an engine process sees the chosen device alone; nothing is chosen for `auto`. */
export function deviceEnvironment(device: string, threads: number): Record<string, string> {
  const environment: Record<string, string> = {}
  if (device !== 'auto') {
    environment.CUDA_VISIBLE_DEVICES = device === 'cpu' ? '-1' : device
    environment.CUDA_DEVICE_ORDER = 'PCI_BUS_ID' // counts as nvidia-smi does
  }
  if (threads) environment.TF_NUM_INTRAOP_THREADS = String(threads)
  return environment
}

function query(fields: string): Promise<string[][]> {
  return new Promise((resolve) => {
    const args = [`--query-gpu=${fields}`, '--format=csv,noheader,nounits']
    // No driver, no cards; a driver that fails is the doctor's to explain.
    execFile('nvidia-smi', args, { timeout: 20_000 }, (error, out) =>
      resolve(
        error
          ? []
          : out
              .trim()
              .split('\n')
              .map((line) => line.split(',').map((cell) => cell.trim())),
      ),
    )
  })
}
