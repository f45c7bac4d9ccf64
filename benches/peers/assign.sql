-- The job in PostgreSQL: a group's cursor moves and the assignment is inserted, in one transaction, once a contact.

CREATE TABLE IF NOT EXISTS groups (
    group_id integer PRIMARY KEY,
    -- The rotation sequence number of the next assignment.
    next bigint NOT NULL DEFAULT 0,
    ring text[] NOT NULL
-- Most of a page stays free, so that the next version of a row finds room beside it, and no index changes.
) WITH (fillfactor = 10);

CREATE TABLE IF NOT EXISTS assignments (
    seq bigint NOT NULL,
    group_id integer NOT NULL,
    contact text NOT NULL,
    rep text NOT NULL,
    details text NOT NULL,
    -- The contact first: plans are made while the table is empty, and one that reads all of a group to find a
    -- contact would look cheap then.
    PRIMARY KEY (contact, group_id)
);

-- Assigns a contact to whose turn it is. A contact that has an assignment gets it again.
--
-- The update comes first: it locks the cursor's row, so that whoever assigns the same contact in the same group
-- waits here, and finds the assignment afterwards. Then the cursor is put back.
CREATE OR REPLACE FUNCTION assign_contact(
    in_group integer, in_contact text, in_details text, OUT seq bigint, OUT rep text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    turn bigint;
    whose text;
BEGIN
    UPDATE groups SET next = next + 1 WHERE group_id = in_group
        RETURNING next - 1, ring[(next - 1) % cardinality(ring) + 1] INTO STRICT turn, whose;
    INSERT INTO assignments (group_id, contact, seq, rep, details)
        VALUES (in_group, in_contact, turn, whose, in_details) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        UPDATE groups SET next = next - 1 WHERE group_id = in_group;
        SELECT a.seq, a.rep INTO STRICT turn, whose FROM assignments a
            WHERE a.group_id = in_group AND a.contact = in_contact;
    END IF;
    assign_contact.seq := turn;
    assign_contact.rep := whose;
END $$;

-- The same for many contacts of one group, all different, in the order given.
CREATE OR REPLACE FUNCTION assign_contacts(in_group integer, in_contacts text[], in_details text)
RETURNS TABLE (seq bigint, rep text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    first bigint;
    reps text[];
BEGIN
    UPDATE groups SET next = next + cardinality(in_contacts) WHERE group_id = in_group
        RETURNING next - cardinality(in_contacts), ring INTO STRICT first, reps;
    PERFORM FROM assignments a WHERE a.group_id = in_group AND a.contact = ANY (in_contacts) LIMIT 1;
    IF FOUND THEN
        -- Some of them have an assignment: one by one.
        UPDATE groups SET next = first WHERE group_id = in_group;
        RETURN QUERY SELECT one.seq, one.rep
            FROM unnest(in_contacts) WITH ORDINALITY AS given (contact, place),
                LATERAL assign_contact(in_group, given.contact, in_details) AS one
            ORDER BY given.place;
    ELSE
        RETURN QUERY INSERT INTO assignments (group_id, contact, seq, rep, details)
            SELECT in_group, given.contact, first + given.place - 1,
                reps[(first + given.place - 1) % cardinality(reps) + 1], in_details
            FROM unnest(in_contacts) WITH ORDINALITY AS given (contact, place)
            RETURNING seq, rep;
    END IF;
END $$;
