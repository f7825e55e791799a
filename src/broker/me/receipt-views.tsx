/** What a stop ended, and which servers have confirmed it since when. */
import type { ComponentChildren } from 'preact';
import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import { type Language, phrase } from '../http/texts/index.js';
import type { Confirmed, Server } from './policy.js';
import { OwnLink, renderShell, Terms } from './shell.js';
import type { Page } from './views.js';

/** The counts are those of `revocation/count.ts`. */
export interface Stopped {
  readonly endedAt: Date;
  readonly consents: number;
  readonly grants: number;
  readonly accessTokens: number;
  readonly exchangedTokens: number;
  readonly helperChains: number;
  readonly refreshTokens: number;
  /** Absent: nobody follows the list of stops. */
  readonly confirmed?: Confirmed | undefined;
}

export interface ReceiptPage extends Page {
  readonly receipt: Stopped;
}

export function renderReceipt({ signed, receipt }: ReceiptPage, language: Language): string {
  const t = language.texts.me.receipt;
  const title = receipt.consents === 0 ? t.titleNone : t.title;
  return renderShell(language, {
    title,
    signed,
    children: (
      <>
        <h1>{title}</h1>
        {receipt.consents === 0 ? (
          <p class="lead">{t.none}</p>
        ) : (
          <>
            <p class="lead">{t.lead}</p>
            <Receipt receipt={receipt} />
            <p class="quiet">{t.note}</p>
          </>
        )}
        <p>
          <OwnLink to="/me">{t.back}</OwnLink>
        </p>
      </>
    ),
  });
}

export function Receipt({ receipt }: { readonly receipt: Stopped }) {
  const { texts, number } = useLanguage();
  const t = texts.me.receipt;
  const { confirmed } = receipt;
  const isFollowed = confirmed !== undefined && confirmed.servers.length + confirmed.others.of > 0;
  const rows: (readonly [string, ComponentChildren])[] = [
    [t.consents, number(receipt.consents)],
    [t.grants, number(receipt.grants)],
    [t.accessTokens, number(receipt.accessTokens)],
    [t.exchangedTokens, number(receipt.exchangedTokens)],
    [t.helperChains, number(receipt.helperChains)],
    [t.refreshTokens, number(receipt.refreshTokens)],
    [t.at, <Moment key="at" at={receipt.endedAt} />],
  ];
  return (
    <div class="facts-box receipt">
      <Terms rows={rows} />
      {isFollowed ? <Confirmations confirmed={confirmed} /> : null}
    </div>
  );
}

function Confirmations({ confirmed }: { readonly confirmed: Confirmed }) {
  const { texts, number } = useLanguage();
  const t = texts.me.receipt;
  const { by, of } = confirmed.others;
  return (
    <section class="servers">
      <h2>{t.confirmed}</h2>
      <ul class="plain">
        {confirmed.servers.map((server, n) => (
          <ServerLine key={`${n} ${server.name}`} server={server} />
        ))}
        {of === 0 ? null : <li>{phrase(t.confirmedOthers, { by: number(by), of: number(of) })}</li>}
      </ul>
    </section>
  );
}

function ServerLine({ server }: { readonly server: Server }) {
  const t = useLanguage().texts.me.receipt;
  const { since, seenAt } = server;
  const name = <Name key="server">{server.name}</Name>;
  return (
    <li>
      {since === undefined ? (
        <Sentence
          text={t.notConfirmed}
          places={{ server: name, time: <Moment key="time" at={seenAt} /> }}
        />
      ) : (
        <Sentence
          text={t.confirmedSince}
          places={{ server: name, time: <Moment key="time" at={since} /> }}
        />
      )}
    </li>
  );
}

/** A time for people, and for whatever reads the page for them. */
function Moment({ at }: { readonly at: Date }) {
  const { dateTime } = useLanguage();
  return <time dateTime={at.toISOString()}>{dateTime(at.getTime())}</time>;
}
