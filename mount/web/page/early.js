// Asks for the folder of the address as soon as can be: the list is on its way while the rest of the page is read.
import { askAhead } from './tools.js';
import { fromAddress, listOf } from './state.js';

const at = fromAddress();
if (at.volume && at.view === 'files' && !at.find) askAhead(...listOf(at));
