-- Places in recorded files that are not what was written there, as the scrub found them; never removed by it.
create table damage (
    id integer not null primary key autoincrement, -- order of finding
    stream integer not null references stream (id), -- whose picture
    path text not null, -- the file under the store folder; it may be gone by now
    start_us integer not null, -- first microsecond that cannot be trusted
    end_us integer not null, -- first microsecond that can be again
    found_us integer not null, -- when it was found
    what text not null -- what is wrong, for a person
) strict;
create unique index damage_place on damage (path, start_us);

-- Where the scrub stands, so that a restart does not begin from the oldest file again.
create table scrub (
    id integer not null primary key check (id = 1), -- one row only
    next_segment integer not null, -- the lowest segment id not looked at in this pass
    began_us integer not null -- when this pass began
) strict;
