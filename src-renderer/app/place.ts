import type { Component } from 'vue'
import type { PanelContent } from '../figures/data.ts'

/** A tile of the centre. */
export interface PanelDef {
  id: string
  title: string
  component: Component
  /** Beside the title: what is shown, with n and split. */
  subtitle?: () => string | undefined
  /** What it puts on a page of figures; undefined while it shows nothing. */
  figure?: () => PanelContent | undefined
}

/** Where a panel lies at first: beside another one, or behind it as a tab. */
export interface Placement {
  panel: string
  beside?: string
  side?: 'left' | 'right' | 'above' | 'below' | 'within'
  /** Its share of the space that it splits. */
  share?: number
}

/** One of the places on the rail. */
export interface Place {
  id: string
  title: string
  icon: Component
  /** The key that goes there. */
  key?: string
  panels: readonly PanelDef[]
  /** The first layout, in the order in which panels are put; a panel that is not placed can be opened from the palette. */
  layout: readonly Placement[]
  /** What exists, on the left. */
  tree?: Component
  /** Of the current selection, on the right. */
  inspector?: Component
}
