// A value that views follow.

import { useEffect, useState } from './html.js';

export function observable(value) {
  const followers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const follower of [...followers]) follower(value);
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
  };
}

// The value, and a new rendering whenever it changes.
export function useObservable(source) {
  const [, again] = useState(0);
  useEffect(() => source.follow(() => again((count) => count + 1)), [source]);
  return source.get();
}
