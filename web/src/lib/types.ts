/** The shapes of API v1, as the server writes them. Times are UTC microseconds and end in `_us`. */

export type StreamKind = 'main' | 'sub';
export type TroubleCause = 'network' | 'camera' | 'login';
export type RuleKind =
  | 'motion' | 'intrusion' | 'line_crossing' | 'wrong_way' | 'stopped' | 'loitering'
  | 'crowd' | 'left_object' | 'speeding' | 'attribute' | 'tamper' | 'camera_down';
export type VerdictName = 'true' | 'false' | 'duplicate' | 'unsure';
export interface Said {
  vi: string;
  en: string;
}
export type ObjectClass = 'person' | 'bicycle' | 'motorcycle' | 'car' | 'bus' | 'truck';

/** Corners are normalised: 0..1 from the left and from the top. */
export type Corner = [number, number];
/** Left, top, right, bottom, each 0..1. */
export type Box = [number, number, number, number];

export interface StreamStatus {
  state: 'connecting' | 'streaming' | 'retrying' | 'stopped';
  n?: number;
  why?: { cause: TroubleCause; detail: string };
}

export interface Stream {
  id: number;
  kind: StreamKind;
  url: string;
  status: StreamStatus | null;
  /** How far the camera's own clock is ahead of the server's. */
  clock_offset_us: number | null;
}

export interface Camera {
  id: number;
  code: string;
  name: string;
  cluster: string | null;
  hamlet: string | null;
  enabled_us: number;
  retired_us: number | null;
  /** Whether the main stream is recorded, not only the sub stream. */
  record_main: boolean;
  streams: Stream[];
  username: string | null;
  has_password: boolean;
  picture: { time_us: number } | null;
  /** What is said of its picture; null when vision does not look. */
  health: PictureHealth | null;
}

export type PictureFault = 'black' | 'overexposed' | 'covered' | 'frozen' | 'moved' | 'defocused';
export type Light = 'day' | 'dusk' | 'infrared';

export interface PictureHealth {
  /** null: the picture can be used. */
  fault: PictureFault | null;
  since_us: number;
  time_us: number;
  measured: { light: Light; shift: [number, number] | null };
}

/** How a camera usually looks by one light. */
export interface PictureReference {
  light: Light;
  time_us: number;
  pictures: number;
}

export interface CameraHealth {
  now: PictureHealth | null;
  references: PictureReference[];
  spans: (TimeSpan & { fault: PictureFault | null })[];
}

/** What the camera form sends. On a change a missing `password` leaves the stored one as it is. */
export interface CameraDraft {
  name: string;
  code?: string;
  main_url: string;
  sub_url?: string;
  username?: string;
  password?: string;
  cluster?: string;
  hamlet?: string;
  record_main?: boolean;
}

export type Role = 'police' | 'duty' | 'office' | 'upper' | 'admin' | 'auditor';
export type Action =
  | 'public'
  | 'signed'
  | 'state'
  | 'live'
  | 'playback'
  | 'search'
  | 'judge'
  | 'follow'
  | 'export'
  | 'lock'
  | 'configure'
  | 'users'
  | 'audit'
  | 'uptime';

/** A role and where it holds; no cluster: all cameras. */
export interface Grant {
  role: Role;
  cluster: number | null;
}

/** Who is signed in. `open`: there are no accounts yet. */
export interface Me {
  open: boolean;
  login: string;
  name: string;
  grants: Grant[];
  actions: Action[];
  wall_only: boolean;
  /** Why they look, as said last. */
  purpose: string | null;
  token: string;
  ends_us: number | null;
}

export interface Account {
  id: number;
  login: string;
  name: string;
  grants: Grant[];
  made_us: number;
  disabled_us: number | null;
  signed_in_us: number | null;
}

/** A line of the log of who looked at what. */
export interface AuditLine {
  id: number;
  time_us: number;
  who: string;
  role: string | null;
  action: string;
  what: string;
  camera: number | null;
  start_us: number | null;
  end_us: number | null;
  reason: string | null;
  address: string;
}

export interface AccountDraft {
  login: string;
  name: string;
  grants: Grant[];
  password: string | null;
  disabled: boolean;
}

export interface SetUpDraft {
  token: string;
  login: string;
  name: string;
  password: string;
  police: boolean;
}

export interface Cluster {
  id: number;
  name: string;
}

export interface RuleDraft {
  name: string;
  kind: RuleKind;
  camera?: string | null;
  zone?: Corner[] | null;
  classes?: ObjectClass[] | null;
  min_score?: number | null;
  k?: number | null;
  n?: number | null;
  cooldown_s?: number | null;
  severity?: Severity | null;
  schedule?: string[] | null;
  line?: Corner[] | null;
  direction?: 'both' | 'left_to_right' | 'right_to_left' | null;
  allowed?: Corner[] | null;
  seconds?: number | null;
  distance?: number | null;
  count?: number | null;
  ground?: Corner[] | null;
  ground_m?: [number, number][] | null;
  limit_kmh?: number | null;
  margin?: number | null;
  angle_deg?: number | null;
  min_size?: number | null;
  model?: string | null;
  label?: string | null;
  share?: number | null;
  /** Parts of the zone that are left out. */
  except?: Box[] | null;
  /** When it does not watch. */
  quiet?: string[] | null;
}

export type Severity = 'count' | 'low' | 'normal' | 'high';

/** What rules of the kind `attribute` can ask. */
export interface ExtraModel {
  file: string;
  name: string;
  labels: string[];
  words: Record<string, string>;
  classes: ObjectClass[];
  why: string | null;
}

/** What a rule would have said of the last days. */
export interface BackTest {
  span: TimeSpan;
  tracks: number;
  all_tracks: boolean;
  events: number;
  hours: { hour_us: number; n: number }[];
  examples: { track: number | null; class: ObjectClass | null; start_us: number; end_us: number; why: Said }[];
}

/** How often a rule was right on a camera, and what a change would have spared. */
export interface RuleVerdicts {
  cameras: { camera: number; events: number; right: number; wrong: number; duplicate: number; unsure: number }[];
  judged: number;
  right: number;
  /** `rule`: the whole rule with this change. */
  proposals: (Said & { spares: number; loses: number; rule: RuleDraft })[];
}

/** Alerts that follow each other closely. */
export interface Incident {
  id: number;
  camera: number;
  camera_code: string;
  camera_name: string;
  start_us: number;
  end_us: number;
  cover: number;
  events: AlertEvent[];
}

export interface Rule extends RuleDraft {
  id: number;
  version: number;
}

export interface PathPoint {
  time_us: number;
  box: Box;
}

export interface AlertEvent {
  id: number;
  camera: number;
  camera_code: string;
  camera_name: string;
  rule: number;
  rule_version: number;
  rule_name: string;
  kind: RuleKind;
  class: ObjectClass | null;
  track: number | null;
  start_us: number;
  end_us: number;
  open: boolean;
  revision: number;
  score: number;
  box: Box;
  path: PathPoint[];
  model_sha256: string | null;
  numbers: Record<string, number>;
  why: Said;
  /** What must stand beside a kind that accuses somebody. */
  caution: Said | null;
  incident_id: number | null;
  severity: Severity;
  /** Whose way can be followed, while it is kept. */
  track_id: number | null;
  verdict: VerdictName | null;
  verdict_us: number | null;
  verdict_by: string | null;
  has_snapshot: boolean;
  clip: { start_us: number; end_us: number } | null;
}

export type ColourName =
  | 'red' | 'orange' | 'yellow' | 'green' | 'blue' | 'purple' | 'pink' | 'brown' | 'white' | 'grey' | 'black';
export type TrackPart = 'upper' | 'lower' | 'body';

/** An object that passed. */
export interface Track extends TimeSpan {
  id: number;
  number: number;
  camera: number;
  camera_code: string;
  camera_name: string;
  class: ObjectClass;
  score: number;
  box: Box;
  open: boolean;
  points: number;
  /** How sure it is that it was one object all the way, 0..1. */
  identity: number;
  votes: Partial<Record<ObjectClass, number>>;
  colours: { part: TrackPart; shares: { colour: ColourName; share: number }[] }[];
  width_px: number | null;
  height_px: number | null;
  pictures: ('largest' | 'sharpest')[];
}

export interface TrackPage {
  tracks: Track[];
  next: string | null;
}

export interface TimeSpan {
  start_us: number;
  end_us: number;
}

export type GapCause = 'power' | 'network' | 'camera' | 'login' | 'disk' | 'overload' | 'service' | 'planned' | 'unknown';

export interface Gap extends TimeSpan {
  cause: GapCause;
  evidence: string;
}

/** A stretch without a gap; gaps are closed in playing time. */
export interface FilmPart extends TimeSpan {
  media_start_us: number;
}

export interface Film extends TimeSpan {
  stream: StreamKind;
  mime: string;
  bytes: number;
  duration_us: number;
  parts: FilmPart[];
  gaps: Gap[];
}

export interface Timeline extends TimeSpan {
  stream: StreamKind;
  step_us: number;
  recorded: TimeSpan[];
  motion: TimeSpan[];
  gaps: Gap[];
}

/** A gap as the ledger has it: of one stream, with who declared it beforehand. */
export interface LedgerGap extends Gap {
  id: number | null;
  planned_by: string | null;
  /** It goes on. */
  open: boolean;
}

export interface StreamReport extends TimeSpan {
  id: number;
  kind: StreamKind;
  recorded_us: number;
  gap_us: number;
  removed_us: number;
  gaps: LedgerGap[];
}

export interface GapReport {
  camera: number;
  streams: StreamReport[];
}

/** A span that is kept whatever its age. */
export interface Lock extends TimeSpan {
  id: number;
  camera: number;
  reason: string;
  actor: string;
  made_us: number;
  until_us: number | null;
}

export interface LockDraft extends TimeSpan {
  cameras: number[];
  reason: string;
  until_us: number | null;
}

/** An outage declared beforehand; without a camera it is the whole site's. */
export interface Planned extends TimeSpan {
  id: number;
  camera: number | null;
  reason: string;
  actor: string;
  made_us: number;
}

export interface PlannedDraft extends TimeSpan {
  cameras: number[];
  reason: string;
}

/** Something wrong with recording that a person has to know; its text says what to do. */
export interface Notice {
  id: number;
  kind: string;
  since_us: number;
  text_vi: string;
  text_en: string;
  camera?: number | null;
  /** How often it has happened since. */
  times?: number;
  /** `false`: it goes by itself with its cause. */
  until_seen?: boolean;
}

export interface EventPage {
  events: AlertEvent[];
  next: string | null;
}

export interface Status {
  version: string;
  site: string;
  now_us: number;
  vision: { running: boolean; detector: string | null; why: string | null };
  counters: Record<string, number>;
  alarms?: Notice[];
}

/** One sentence about one field; the server speaks both languages. */
export interface Refusal {
  place: string;
  vi: string;
  en: string;
}
