import { Cpu } from 'lucide-vue-next'
import type { Place } from '../app/place.ts'
import DevicePanel from './DevicePanel.vue'
import DoctorPanel from './DoctorPanel.vue'

/** What computes here, link by link; at the foot of the rail. */
export const compute: Place = {
  id: 'compute',
  title: 'Compute',
  icon: Cpu,
  panels: [
    { id: 'doctor', title: 'What computes here', component: DoctorPanel },
    { id: 'devices', title: 'Devices and memory', component: DevicePanel },
  ],
  layout: [{ panel: 'doctor' }, { panel: 'devices', beside: 'doctor', side: 'below', share: 0.4 }],
}
