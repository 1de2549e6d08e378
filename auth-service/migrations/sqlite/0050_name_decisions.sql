-- Which decision an entry carries out: the block's id. The refusals of the doors name it, so that an auditor finds from a refused
-- request who ordered it, when and why.
ALTER TABLE enforcement ADD COLUMN decision TEXT;
