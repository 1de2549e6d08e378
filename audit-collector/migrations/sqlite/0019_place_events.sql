-- Where a client's address is, as the files of the operator said when the event was stored. Null where they knew nothing.
-- The ISO 3166-1 code of the country.
ALTER TABLE event ADD COLUMN country TEXT;
-- The number of the autonomous system.
ALTER TABLE event ADD COLUMN asn INTEGER;
