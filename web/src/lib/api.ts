/** One small door to the server: JSON in and out, refusals as values a form can show. */
import type { Plan, PlanDraft, Route, RouteDraft, RouteHead } from './follow';
import type { SearchPage } from './search';
import type { Storage, StorageSettings } from './storage';
import type {
  Account,
  AccountDraft,
  AlertEvent,
  AuditLine,
  BackTest,
  Camera,
  CameraDraft,
  CameraHealth,
  Cluster,
  EventPage,
  ExtraModel,
  GapReport,
  Incident,
  Light,
  Lock,
  LockDraft,
  Me,
  Notice,
  Planned,
  PlannedDraft,
  Refusal,
  Rule,
  RuleDraft,
  RuleVerdicts,
  SetUpDraft,
  Status,
  StreamKind,
  Timeline,
  TrackPage,
  VerdictName,
} from './types';

const BASE = '/api/v1';

/** The server answered, and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly refusals: Refusal[],
  ) {
    super(refusals.map((r) => `${r.place}: ${r.en}`).join('; ') || `HTTP ${status}`);
  }
}

/** The sentences of an answer that is no success; an answer without any gives an empty list. */
export async function refusalsOf(answer: Response): Promise<Refusal[]> {
  const body: unknown = await answer.json().catch(() => null);
  const errors = body && typeof body === 'object' && 'errors' in body ? body.errors : null;
  return Array.isArray(errors) ? (errors as Refusal[]) : [];
}

/** What the session gives the pages: the token of each change, and who is told that it has ended. */
export const door = { token: '', lost: (): void => undefined };

async function ask<T>(method: string, path: string, body?: unknown, keepalive = false): Promise<T> {
  const init: RequestInit = { method, keepalive };
  if (method !== 'GET') {
    init.headers = { 'Content-Type': 'application/json', 'X-Vonglau-Token': door.token };
    if (body !== undefined) init.body = JSON.stringify(body);
  }
  const answer = await fetch(BASE + path, init);
  if (answer.status === 401) door.lost();
  if (!answer.ok) throw new Refused(answer.status, await refusalsOf(answer));
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const api = {
  me: () => ask<Me>('GET', '/session'),
  signIn: (login: string, password: string) => ask<Me>('POST', '/session', { login, password }),
  signOut: () => ask<void>('DELETE', '/session'),
  /** Somebody's hand is on the page. */
  imHere: () => ask<void>('PUT', '/session/seen', {}),
  changePassword: (old_password: string, password: string) => ask<void>('PUT', '/session/password', { old_password, password }),
  audit: (query: URLSearchParams) => ask<{ lines: AuditLine[]; next: number | null }>('GET', `/audit?${query}`),
  /** Why it is looked at. */
  setPurpose: (purpose: string) => ask<void>('PUT', '/session/purpose', { purpose }),
  setUp: (draft: SetUpDraft) => ask<Me>('POST', '/setup', draft),
  accounts: () => ask<{ accounts: Account[] }>('GET', '/accounts').then((a) => a.accounts),
  addAccount: (draft: AccountDraft) => ask<Account>('POST', '/accounts', draft),
  changeAccount: (id: number, draft: AccountDraft) => ask<Account>('PUT', `/accounts/${id}`, draft),
  status: () => ask<Status>('GET', '/status'),
  /** `times` as it was shown: what has happened again meanwhile stays. */
  seen: (alarm: Notice) => ask<void>('POST', `/alarms/${alarm.id}/seen`, { times: alarm.times ?? null }),
  /** One camera, also one that was removed. */
  camera: (id: number) => ask<Camera>('GET', `/cameras/${id}`),
  cameras: () => ask<{ cameras: Camera[] }>('GET', '/cameras').then((a) => a.cameras),
  clusters: () => ask<{ clusters: Cluster[] }>('GET', '/clusters').then((a) => a.clusters),
  addCamera: (draft: CameraDraft) => ask<Camera>('POST', '/cameras', draft),
  changeCamera: (id: number, draft: CameraDraft) => ask<Camera>('PUT', `/cameras/${id}`, draft),
  /** `leaving`: the page is being closed; the request outlives it. */
  removeCamera: (id: number, leaving: boolean) => ask<void>('DELETE', `/cameras/${id}`, undefined, leaving),
  health: (camera: number) => ask<CameraHealth>('GET', `/cameras/${camera}/health`),
  /** How it looks now is right. */
  acceptView: (camera: number) => ask<void>('POST', `/cameras/${camera}/health/accept`, {}),
  rules: () => ask<{ rules: Rule[] }>('GET', '/rules').then((a) => a.rules),
  addRule: (draft: RuleDraft) => ask<Rule>('POST', '/rules', draft),
  changeRule: (id: number, draft: RuleDraft) => ask<Rule>('PUT', `/rules/${id}`, draft),
  /** What it would have said of the last week; nothing is changed. */
  tryRule: (draft: RuleDraft) => ask<BackTest>('POST', '/rules/try', draft),
  extraModels: () => ask<{ models: ExtraModel[] }>('GET', '/models/extra').then((a) => a.models),
  removeRule: (id: number, leaving: boolean) => ask<void>('DELETE', `/rules/${id}`, undefined, leaving),
  events: (query: URLSearchParams) => ask<EventPage>('GET', `/events?${query}`),
  timeline: (camera: number, from_us: number, to_us: number, step_us: number) =>
    ask<Timeline>('GET', `/cameras/${camera}/timeline?from=${from_us}&to=${to_us}&step=${step_us}`),
  gaps: (query: URLSearchParams) => ask<{ cameras: GapReport[] }>('GET', `/gaps?${query}`).then((a) => a.cameras),
  locks: () => ask<{ locks: Lock[] }>('GET', '/locks').then((a) => a.locks),
  addLock: (draft: LockDraft) => ask<{ ids: number[] }>('POST', '/locks', draft),
  removeLock: (id: number, leaving: boolean) => ask<void>('DELETE', `/locks/${id}`, undefined, leaving),
  planned: (from_us: number) => ask<{ planned: Planned[] }>('GET', `/planned?from=${from_us}`).then((a) => a.planned),
  addPlanned: (draft: PlannedDraft) => ask<{ ids: number[] }>('POST', '/planned', draft),
  removePlanned: (id: number, leaving: boolean) => ask<void>('DELETE', `/planned/${id}`, undefined, leaving),
  storage: () => ask<Storage>('GET', '/storage'),
  changeStorage: (settings: StorageSettings) => ask<StorageSettings>('PUT', '/storage', settings),
  confirmRemoval: (stopped_us: number) => ask<void>('POST', '/storage/confirm', { stopped_us }),
  tracks: (query: URLSearchParams) => ask<TrackPage>('GET', `/tracks?${query}`),
  search: (query: URLSearchParams) => ask<SearchPage>('GET', `/search?${query}`),
  plan: () => ask<Plan>('GET', '/plan'),
  drawPlan: (plan: PlanDraft) => ask<Plan>('PUT', '/plan', plan),
  routes: () => ask<{ routes: RouteHead[] }>('GET', '/routes').then((a) => a.routes),
  route: (id: number) => ask<Route>('GET', `/routes/${id}`),
  beginRoute: (draft: RouteDraft) => ask<Route>('POST', '/routes', draft),
  removeRoute: (id: number, leaving: boolean) => ask<void>('DELETE', `/routes/${id}`, undefined, leaving),
  sayStep: (id: number, track: number, verdict: 'accepted' | 'rejected' | 'none') =>
    ask<Route>('POST', `/routes/${id}/steps`, { track, verdict }),
  /** An officer's word; null takes it back. */
  judge: (id: number, verdict: VerdictName | null) => ask<AlertEvent>('PUT', `/events/${id}/verdict`, { verdict }),
  ruleVerdicts: (id: number) => ask<RuleVerdicts>('GET', `/rules/${id}/verdicts`),
  incidents: (query: URLSearchParams) => ask<{ incidents: Incident[]; next: string | null }>('GET', `/incidents?${query}`),
  event: (id: number) => ask<AlertEvent>('GET', `/events/${id}`),
};

export const url = {
  changes: `${BASE}/changes`,
  picture: (camera: number, time_us: number) => `${BASE}/cameras/${camera}/picture.jpg?t=${time_us}`,
  /** How it usually looks, in grey. */
  reference: (camera: number, light: Light, time_us: number) => `${BASE}/cameras/${camera}/reference.jpg?light=${light}&t=${time_us}`,
  /** The revision makes a changed event show its changed snapshot. */
  snapshot: (event: AlertEvent, boxed: boolean) =>
    `${BASE}/events/${event.id}/snapshot.jpg?boxed=${boxed ? 1 : 0}&r=${event.revision}`,
  /** Its length makes a track that went on show its better picture. */
  trackPicture: (track: { id: number; end_us: number }) => `${BASE}/tracks/${track.id}/picture.jpg?t=${track.end_us}`,
  live: (camera: number, stream: StreamKind) => `${BASE}/cameras/${camera}/live?stream=${stream}`,
  moment: (camera: number, at_us: number, stream: StreamKind | null) =>
    `${BASE}/cameras/${camera}/picture.jpg?at=${Math.round(at_us)}${stream ? `&stream=${stream}` : ''}`,
  filmJson: (camera: number, from_us: number, to_us: number, stream: StreamKind | null) =>
    `${BASE}/cameras/${camera}/video.json?from=${from_us}&to=${to_us}${stream ? `&stream=${stream}` : ''}`,
  film: (camera: number, from_us: number, to_us: number, stream: StreamKind) =>
    `${BASE}/cameras/${camera}/video.mp4?from=${from_us}&to=${to_us}&stream=${stream}`,
  filmDownload: (camera: number, from_us: number, to_us: number, stream: StreamKind) =>
    `${BASE}/cameras/${camera}/video.mp4?from=${from_us}&to=${to_us}&stream=${stream}&download=1`,
  /** `until` keeps the clip of a young event the same file while the player reads it piece by piece. */
  clip: (event: AlertEvent, stream: StreamKind | null) =>
    `${BASE}/events/${event.id}/clip.mp4?${stream ? `stream=${stream}&` : ''}until=${event.clip?.end_us ?? ''}`,
  clipDownload: (id: number, stream: StreamKind | null) =>
    `${BASE}/events/${id}/clip.mp4?${stream ? `stream=${stream}&` : ''}download=1`,
};
