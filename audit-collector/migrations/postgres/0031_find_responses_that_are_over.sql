-- What is in force has an end or none; whatever is over is found at once, however much has none.
CREATE INDEX response_over ON response (expires_at) WHERE state = 'in_force';
