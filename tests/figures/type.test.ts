import { describe, expect, it } from 'vitest'
import { fitText, textPath, textWidth } from '../../src-main/figures/type.ts'

const style = { size: 12, colour: '#000000' }

describe('type', () => {
  it('gives numbers figures of one width and words proportional ones', () => {
    expect(textWidth('0.111', style)).toBe(textWidth('0.888', style))
    expect(textWidth('run 111', style)).toBeLessThan(textWidth('run 888', style))
  })

  it('leaves names as they are: 28x28 does not become a multiplication', () => {
    expect(textPath('28x28', 0, 0, style)).not.toBe(textPath('28×28', 0, 0, style))
  })

  it('anchors at start, middle and end', () => {
    const x = (anchor: 'start' | 'middle' | 'end') => {
      const matrix = /matrix\(([^)]*)\)/.exec(textPath('Trial', 100, 20, { ...style, anchor }))![1]
      return Number(matrix.split(' ')[4])
    }
    const width = textWidth('Trial', style)
    expect([x('start'), x('middle'), x('end')]).toEqual([100, 100 - width / 2, 100 - width])
  })

  it('scales with the size and cuts what does not fit', () => {
    expect(textWidth('Trial', { ...style, size: 24 })).toBeCloseTo(2 * textWidth('Trial', style), 9)
    expect(fitText('image-0042', 200, style)).toBe('image-0042')
    const cut = fitText('image-0042-with-a-long-name', 60, style)
    expect(cut).toMatch(/^image-.*…$/)
    expect(textWidth(cut, style)).toBeLessThanOrEqual(60)
  })
})
