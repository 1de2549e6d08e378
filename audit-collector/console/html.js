// Preact by tagged templates. What stands in `${…}` becomes text or attributes, never markup.

import htm from './vendor/htm-3.1.1/htm.js';
import { h } from './vendor/preact-11.2.0/preact.js';

export { Fragment, render } from './vendor/preact-11.2.0/preact.js';
export {
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from './vendor/preact-11.2.0/hooks.js';

export const html = htm.bind(h);
