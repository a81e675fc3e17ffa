/**
 * The 28 kinds of object of the world, by realm and group. The names are icons of the Fluent Emoji set; the groups give the
 * categories a similarity structure (a dog is nearer to a cat than to a rocket) and the cortex its preferring patches.
 */
export const groups = {
  face: {
    realm: 'animate',
    kinds: ['beaming-face-with-smiling-eyes', 'cat-face', 'dog-face', 'panda', 'frog', 'lion'],
  },
  animal: { realm: 'animate', kinds: ['elephant', 'tropical-fish', 'octopus', 'butterfly', 'lady-beetle'] },
  food: { realm: 'inanimate', kinds: ['red-apple', 'banana', 'pizza', 'strawberry', 'carrot'] },
  place: { realm: 'inanimate', kinds: ['house', 'castle', 'tent', 'evergreen-tree', 'cactus'] },
  vehicle: { realm: 'inanimate', kinds: ['automobile', 'locomotive', 'sailboat', 'rocket'] },
  tool: { realm: 'inanimate', kinds: ['umbrella', 'guitar', 'key'] },
} as const

export type Group = keyof typeof groups

/** Names in a fixed order; a kind's number is its place here. */
export const kinds: readonly string[] = Object.values(groups).flatMap((group) => group.kinds)

/** Group of each kind. */
export const kindGroups: readonly Group[] = (Object.keys(groups) as Group[]).flatMap((group) =>
  groups[group].kinds.map(() => group),
)
