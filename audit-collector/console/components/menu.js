// What opens below a button and closes by Escape, by a press elsewhere, or when the focus leaves it.

import { html, useEffect, useRef } from '../html.js';

export function Menu({ label, kind = '', onToggle, children }) {
  const menu = useRef(null);
  useEffect(() => {
    const press = (event) => {
      if (!menu.current.contains(event.target)) menu.current.open = false;
    };
    document.addEventListener('pointerdown', press);
    return () => document.removeEventListener('pointerdown', press);
  }, []);
  const press = (event) => {
    if (event.key !== 'Escape') return;
    event.currentTarget.open = false;
    event.currentTarget.querySelector('summary').focus();
  };
  const leave = (event) => {
    if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
  };
  return html`<details ref=${menu} class="menu ${kind}" onKeyDown=${press} onFocusOut=${leave} onToggle=${(event) => onToggle?.(event.currentTarget.open)}>
    <summary>${label}</summary>
    <div class="menu-body">${children}</div>
  </details>`;
}
