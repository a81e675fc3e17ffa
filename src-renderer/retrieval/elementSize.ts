import { onScopeDispose, reactive, watch, type Ref } from 'vue'

/** The inner size of an element as it is now, CSS pixels. */
export function useElementSize(element: Ref<HTMLElement | undefined>): { width: number; height: number } {
  const size = reactive({ width: 0, height: 0 })
  const observer = new ResizeObserver(([{ contentRect }]) =>
    Object.assign(size, { width: contentRect.width, height: contentRect.height }),
  )
  watch(element, (now) => {
    observer.disconnect()
    if (now) observer.observe(now)
  })
  onScopeDispose(() => observer.disconnect())
  return size
}
