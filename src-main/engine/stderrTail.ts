/** TensorFlow greets on stderr whatever its log level; none of it helps a user. */
const startUpNoise = [
  /oneDNN custom operations are on/,
  /rebuild TensorFlow with the appropriate compiler flags/,
  /This TensorFlow binary is optimized/,
  /MLIR V1 optimization pass/,
  /successful NUMA node read from SysFS/,
  /Unable to register cu(DNN|FFT|BLAS) factory/i,
  /WARNING: All log messages before absl::InitializeLog/,
  /computation_placer|cuda_dnn\.cc.*Loaded cuDNN/,
  /Created device \/job:localhost/,
]

const keep = 40

/** Splits a child's output into lines, drops start-up noise and keeps the last 40 lines as the process's last words. */
export class StderrTail {
  private rest = ''
  private lines: string[] = []
  private readonly onLine?: (line: string) => void

  constructor(onLine?: (line: string) => void) {
    this.onLine = onLine
  }

  write(text: string): void {
    const lines = (this.rest + text).split(/\r?\n/)
    // Output without line ends must not pile up either.
    this.rest = lines.pop()!.slice(-4096)
    for (const line of lines) this.add(line)
  }

  /** The last lines, oldest first. */
  end(): string[] {
    if (this.rest) this.add(this.rest)
    this.rest = ''
    return this.lines
  }

  private add(line: string): void {
    if (!line.trim() || startUpNoise.some((noise) => noise.test(line))) return
    this.lines = [...this.lines, line].slice(-keep)
    this.onLine?.(line)
  }
}
