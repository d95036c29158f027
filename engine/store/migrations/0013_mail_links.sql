-- Links that stand in mails are many, and known for a while after they are over.

create index link_over on link (jurisdiction, expires_at);
