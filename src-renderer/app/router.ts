import { createRouter, createWebHashHistory } from 'vue-router'
import { places } from './places.ts'
import WorkbenchView from './WorkbenchView.vue'

/** By hash, which works under http and under Electron's own scheme alike. */
export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    ...places.map(({ id }) => ({ path: `/${id}`, name: id, component: WorkbenchView, props: { placeId: id } })),
    { path: '/:other(.*)*', redirect: `/${places[0].id}` },
  ],
})
