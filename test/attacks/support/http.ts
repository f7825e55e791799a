// A client that sends what it is told to, unlike fetch: any header, any method, any path. Every
// exchange is kept, so that the oracle judges all of them.
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly setCookies: readonly string[];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared whole
  readonly body: any;
}

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly answer: Answer;
}

export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

export type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Form fields, repeated where a list is given; undefined ones are left out. */
export function formBody(fields: Fields): string {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    for (const one of [value].flat()) body.append(name, one);
  }
  return body.toString();
}

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

export function createHttp(issuer: string, onExchange: (exchange: Exchange) => void) {
  const agent = new Agent({ keepAlive: true, maxSockets: 40 });
  const { hostname, port } = new URL(issuer);
  const send = (path: string, sending: Sending = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = sending;
      const target = path.startsWith(issuer) ? path.slice(issuer.length) : path;
      const outgoing = httpRequest(
        {
          agent,
          hostname,
          port,
          method,
          path: target === '' ? '/' : target,
          // node:http wants mutable lists.
          headers: Object.fromEntries(
            Object.entries({
              ...headers,
              ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
            }).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
          ),
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.once('error', reject);
          incoming.once('end', () => {
            const { 'set-cookie': setCookies = [], ...others } = incoming.headers;
            const text = Buffer.concat(chunks).toString();
            const answer: Answer = {
              status: incoming.statusCode ?? 0,
              headers: Object.fromEntries(
                Object.entries(others).map(([name, value]) => [name, String(value)]),
              ),
              setCookies,
              text,
              body: parsed(text, others['content-type']),
            };
            onExchange({ method, path: target, answer });
            resolve(answer);
          });
        },
      );
      outgoing.setTimeout(10_000, () =>
        outgoing.destroy(new Error(`no answer: ${method} ${target}`)),
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });

  /** Bytes as they are; what came back within the time, as text. */
  const raw = (bytes: string | Buffer, waitMs = 10_000): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname);
      let text = '';
      const done = () => {
        clearTimeout(timer);
        socket.destroy();
        resolve(text);
      };
      const timer = setTimeout(done, waitMs);
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.once('close', done);
      socket.once('error', done);
      socket.end(bytes);
    });
  return { send, raw, close: () => agent.destroy() };
}

function parsed(text: string, type: string | undefined): unknown {
  if (type?.includes('json') !== true) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export type Http = ReturnType<typeof createHttp>;

/** One person's browser: a cookie jar, forms, same-origin headers unless told otherwise. */
export function createBrowser(http: Http, issuer: string) {
  // By name, and by path where there is one: interactions have a cookie each.
  const jar = new Map<string, { name: string; value: string; path: string }>();
  const keep = (lines: readonly string[]): void => {
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      const value = pair.slice(at + 1);
      const path = attributes.map((a) => /^\s*path=(.*)$/i.exec(a)?.[1]).find((p) => p) ?? '/';
      const gone = value === '' || attributes.some((a) => /expires=thu, 01 jan 1970/i.test(a));
      const key = path === '/' ? name : `${name} ${path}`;
      if (gone) jar.delete(key);
      else jar.set(key, { name, value, path });
    }
  };
  const cookies = (path: string): string =>
    [...jar.values()]
      .filter((cookie) => path.startsWith(cookie.path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');

  const send = async (url: string, sending: Sending = {}): Promise<Answer> => {
    const path = url.startsWith(issuer) ? url.slice(issuer.length) : url;
    const cookie = cookies(path.split('?')[0] ?? path);
    const answer = await http.send(path, {
      ...sending,
      headers: {
        accept: 'text/html',
        ...(cookie === '' ? {} : { cookie }),
        ...sending.headers,
      },
    });
    keep(answer.setCookies);
    return answer;
  };
  const get = (url: string, headers: Record<string, string> = {}) => send(url, { headers });
  const post = (url: string, fields: Fields, headers: Record<string, string> = {}) =>
    send(url, {
      method: 'POST',
      body: formBody(fields),
      headers: { ...FORM, origin: issuer, 'sec-fetch-site': 'same-origin', ...headers },
    });
  /** Follows redirects while they stay on the site; the last answer, and where it was. */
  const follow = async (
    answer: Answer,
    from = issuer,
  ): Promise<{ answer: Answer; url: string }> => {
    let at = from;
    let now = answer;
    for (let n = 0; n < 12; n += 1) {
      const { location } = now.headers;
      if (location === undefined) break;
      const next = new URL(location, new URL(at, issuer)).href;
      if (!next.startsWith(`${issuer}/`)) break;
      at = next;
      now = await get(next);
    }
    return { answer: now, url: at };
  };
  const open = async (url: string) => follow(await get(url), url);
  const cookie = (name: string): string | undefined =>
    [...jar.values()].find((one) => one.name === name)?.value;
  return { jar, cookie, send, get, post, follow, open };
}

export type Browser = ReturnType<typeof createBrowser>;
