import { expect, it } from 'vitest'
import { reportText } from '../../src-renderer/compute/report.ts'

it('reports each link, and of paths only what they end in', () => {
  const links = [
    { name: 'kernel', ok: true, detail: '93 GFLOP/s in a float32 matrix product' },
    { name: 'disk', ok: true, detail: '82.1 GB free in /home/somebody/lab/mindeye' },
    {
      name: 'libtensorflow',
      ok: false,
      detail: "nothing in 'C:\\Users\\somebody\\deps\\lib'",
      fix: 'See https://github.com/tensorflow/tensorflow and ../deps/lib.',
    },
  ]
  expect(reportText(links).split('\n')).toEqual([
    'ok      kernel: 93 GFLOP/s in a float32 matrix product',
    'ok      disk: 82.1 GB free in …/mindeye',
    "BROKEN  libtensorflow: nothing in '…/lib'",
    '        fix: See https://github.com/tensorflow/tensorflow and ../deps/lib.',
  ])
})
