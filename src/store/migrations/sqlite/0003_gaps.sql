-- Schema 3: what the gap ledger needs.

alter table lock add column until_us integer; -- when it is to be released by itself; null: only by a person
alter table stream add column since_us integer; -- since when it is to be recorded; null: since its camera takes part
alter table heartbeat add column ended text; -- how the run ended, when it ended well; null: it runs, or ended by force
alter table gap add column planned_by text; -- who declared it beforehand; null: nobody did

-- An outage somebody declared beforehand: a gap inside it is theirs.
create table planned (
    id integer not null primary key autoincrement, -- a gap's evidence names it
    camera integer references camera (id), -- null: the whole site, such as a power cut that was announced
    start_us integer not null, -- first microsecond of it
    end_us integer not null, -- first microsecond after it
    reason text not null, -- what is done
    actor text not null, -- who declared it
    made_us integer not null, -- when; a gap before that is not excused by it
    removed_us integer -- called off; null while it holds
) strict;
create index planned_start on planned (start_us, end_us);

-- How far the ledger has come: before this time everything of a stream is recorded or a gap (or removed by its age).
create table ledger (
    stream integer not null primary key references stream (id), -- whose
    until_us integer not null -- all before is accounted for
) strict;
