-- Schema 4: how long recordings are kept, and what was removed.

alter table camera add column main_off_us integer; -- since when only its sub stream is recorded (a thin line); null: both are

-- How long one kind of stream is kept; without a row the built-in defaults hold.
create table retention (
    id integer not null primary key, -- a camera of null cannot be part of a key
    camera integer references camera (id), -- null: every camera without a row of its own
    kind text not null check (kind in ('main', 'sub')), -- their rates differ by ten and more
    continuous_days integer, -- null: as long as it fits
    motion_days integer, -- of segments in which something moved; null: as long as it fits
    events_days integer, -- of segments of events; null: as long as it fits
    bytes integer -- most bytes of the stream; null: no limit of its own
) strict;
create unique index retention_default on retention (kind) where camera is null;
create unique index retention_camera on retention (camera, kind) where camera is not null;

-- What was agreed on last, and a removal that waits for a person; one row, made by the first pass.
create table retention_state (
    id integer not null primary key check (id = 1), -- one row only
    agreed_us integer not null, -- wall clock of the last pass that was believed
    agreed_keep text not null, -- JSON: the settings then in force; others are a change
    stopped_us integer, -- since when a removal waits; null: none does
    cause text check (cause in ('settings', 'clock')), -- what would remove so much; null: none waits
    segments integer, -- how many would be removed; null: none waits
    bytes integer, -- their bytes; null: none waits
    confirmed_us integer -- when a person let it go on; null: not yet
) strict;

-- Closed segments of one stream, added up in the transactions that close and remove them.
create table stream_usage (
    stream integer not null primary key references stream (id), -- whose
    segments integer not null, -- how many closed segments
    bytes integer not null, -- their size_bytes together; a limit in bytes looks here
    day_bytes integer, -- bytes a day as last measured; null: not yet
    measured_us integer -- when that was; null: not yet
) strict;

-- Segments whose files are being removed: a row found at the start is completed.
create table segment_removal (
    segment integer not null primary key references segment (id) -- whose file may be gone
) strict;

insert into stream_usage (stream, segments, bytes)
    select stream, count(*), sum(size_bytes) from segment where not open group by stream;
