// The field for a filter, with what may follow, and where it is wrong.

import { html, useEffect, useId, useRef, useState } from '../html.js';
import { get } from '../api.js';
import { completions, quoted } from '../filter.js';
import { t } from '../i18n.js';

const PAUSE = 150;
const SHOWN_MAX = 10;

// Names and fixed words are known here; other values are asked for, and left out when they cannot be had.
async function offered(text, caret, signal) {
  const known = completions(text, caret);
  if (known.choices.length > 0 || !known.field) return known;
  const params = { field: known.field, prefix: known.value || undefined, limit: SHOWN_MAX };
  const answer = await get('/v1/stats/completions', params, signal).catch(() => ({ completions: [] }));
  const choices = answer.completions.map(({ value, means }) => ({ text: `${quoted(value)} `, means }));
  return { ...known, choices };
}

export function FilterInput({ value, error, onSearch }) {
  const [text, setText] = useState(value);
  const [list, setList] = useState(null);
  const [chosen, setChosen] = useState(-1);
  const input = useRef(null);
  const asking = useRef(null);
  const id = useId();

  // What was searched for here comes back as the value a moment later, when the next may be half typed.
  const searched = useRef(value);
  useEffect(() => {
    if (value !== searched.current) setText(value);
    searched.current = value;
  }, [value]);
  useEffect(() => () => asking.current?.abort(), []);

  const close = () => {
    asking.current?.abort();
    setList(null);
    setChosen(-1);
  };
  const suggest = (next) => {
    close();
    const controller = new AbortController();
    asking.current = controller;
    const caret = input.current.selectionStart ?? next.length;
    setTimeout(async () => {
      if (controller.signal.aborted) return;
      const found = await offered(next, caret, controller.signal);
      if (!controller.signal.aborted) setList(found.choices.length > 0 ? found : null);
    }, PAUSE);
  };
  const type = (event) => {
    setText(event.target.value);
    suggest(event.target.value);
  };
  const take = (choice) => {
    const next = text.slice(0, list.from) + choice.text + text.slice(list.to);
    const caret = list.from + choice.text.length;
    // At once and not with the next picture: what is typed until then would come before the caret.
    input.current.value = next;
    input.current.focus();
    input.current.setSelectionRange(caret, caret);
    setText(next);
    suggest(next);
  };
  const search = (next) => {
    close();
    searched.current = next.trim();
    onSearch(searched.current);
  };
  const press = (event) => {
    const choices = list?.choices.slice(0, SHOWN_MAX) ?? [];
    if (event.key === 'Escape' && list) {
      event.stopPropagation();
      close();
    } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && choices.length > 0) {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setChosen((chosen + step + choices.length + (chosen < 0 && step < 0 ? 1 : 0)) % choices.length);
    } else if (event.key === 'Enter' || (event.key === 'Tab' && chosen >= 0)) {
      if (chosen >= 0 && choices[chosen]) {
        event.preventDefault();
        take(choices[chosen]);
      }
    }
  };
  const leave = (event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) close();
  };
  const choices = list?.choices.slice(0, SHOWN_MAX) ?? [];
  const option = (index) => `${id}-${index}`;
  return html`<form class="filter" role="search" onFocusOut=${leave} onSubmit=${(event) => {
    event.preventDefault();
    search(text);
  }}>
    <input ref=${input} type="text" role="combobox" aria-label=${t('events.filter')} autocomplete="off" autocapitalize="off"
      spellcheck="false" maxlength="2000" placeholder=${t('events.placeholder')} value=${text}
      aria-expanded=${choices.length > 0} aria-controls=${`${id}-list`} aria-autocomplete="list"
      aria-activedescendant=${chosen >= 0 ? option(chosen) : undefined}
      aria-invalid=${error ? 'true' : undefined} aria-describedby=${error ? `${id}-error` : undefined}
      onInput=${type} onKeyDown=${press} />
    ${text && html`<button type="button" class="icon clear" aria-label=${t('events.clear')} onClick=${() => {
      setText('');
      search('');
    }}>✕</button>`}
    <ul class="suggestions" id=${`${id}-list`} role="listbox" aria-label=${t('events.suggestions')} hidden=${choices.length === 0}>
      ${choices.map(
        (choice, index) => html`<li id=${option(index)} role="option" aria-selected=${index === chosen}
          onMouseDown=${(event) => {
            event.preventDefault();
            take(choice);
          }}>
          <code>${choice.text.trim()}</code>
          <span class="what">${choice.means ?? (choice.field ? t(`field.${choice.field}`) : '')}</span>
        </li>`,
      )}
    </ul>
    ${error && html`<${Place} id=${`${id}-error`} text=${value} error=${error} />`}
  </form>`;
}

// The filter once more, with the place from which on it is not understood.
function Place({ id, text, error }) {
  const characters = [...text];
  const at = Math.min(Math.max(error.at ?? characters.length, 0), characters.length);
  const rest = characters.slice(at);
  const wrong = /^[^\s()]+/.exec(rest.join(''))?.[0] ?? ' ';
  const after = rest.slice([...wrong].length).join('');
  return html`<div id=${id} role="alert">
    ${error.at !== undefined && html`<pre class="place">${characters.slice(0, at).join('')}<mark>${wrong}</mark>${after}</pre>`}
    <p class="wrong">${error.message.replace(/^parameter `q`: (at character \d+: )?/, '')}</p>
  </div>`;
}
