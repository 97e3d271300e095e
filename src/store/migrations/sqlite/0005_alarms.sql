-- Schema 5: what a person has to know, and how many events a removal that waits would take.

-- The alarms of the running program, kept for the command line; those that wait for a person outlive a restart.
create table alarm (
    id integer not null primary key, -- names it on the page; from the time it was raised, so that none comes back
    kind text not null check (
        kind in ('disk_flush_failed', 'damaged', 'disk_missing', 'disk_refused', 'disk_full', 'shedding')
    ), -- what is wrong
    camera integer references camera (id), -- whose recording; null: all
    since_us integer not null, -- when it began
    times integer not null, -- how often it has happened since
    text_vi text not null, -- what is wrong and what to do
    text_en text not null -- the same in English
) strict;

alter table retention_state add column events integer; -- events a waiting removal would take; null: none waits
