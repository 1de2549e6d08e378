// Server-sent events from an answer that was fetched: `EventSource` cannot send a token. (WHATWG HTML §9.2)

// The events of a body: `{type, id, data}`, one by one.
export async function* serverSentEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => null);
  }
}

function parse(block) {
  const event = { type: 'message', id: undefined, data: [] };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'data') event.data.push(value ?? '');
    else if (name === 'id') event.id = value;
    else if (name === 'event') event.type = value;
  }
  if (event.data.length > 0) return { ...event, data: event.data.join('\n') };
  // One without data tells a place alone.
  return event.id === undefined ? null : { type: 'place', id: event.id };
}
