import { shallowRef, watch } from 'vue'
import { galleryName, type GalleryDetail } from './data.ts'

/** Names of some images of a gallery, as they come. */
export function useGalleryNames(gallery: () => GalleryDetail | undefined, keys: () => readonly number[]) {
  const names = shallowRef<ReadonlyMap<number, string>>(new Map())
  watch(
    () => [gallery(), keys()] as const,
    async ([of, wanted]) => {
      if (!of) return
      const found = await Promise.all(wanted.map(async (key) => [key, await galleryName(of, key)] as const)).catch(
        () => [],
      )
      if (gallery() === of) names.value = new Map(found)
    },
    { immediate: true },
  )
  return names
}
