-- Assigns contacts of one group, in the order given, each to whose turn it is, once.
--
-- KEYS: the group's cursor, its ring (a list of reps), its assignments (a hash by contact).
-- ARGV: what else is kept of each assignment, then the contacts, all different.
-- Returns, for each contact, the rotation sequence number and the rep. A contact that has an assignment gets
-- it again.
local details = ARGV[1]
local contacts = {unpack(ARGV, 2)}
local existing = redis.call('HMGET', KEYS[3], unpack(contacts))
local new = 0
for _, value in ipairs(existing) do
    if not value then
        new = new + 1
    end
end

-- One write of the cursor and one of the hash, however many contacts there are: that is what goes to the
-- append-only file and to the replicas.
local seq, ring, fields, answers = 0, {}, {}, {}
if new > 0 then
    seq = redis.call('INCRBY', KEYS[1], new) - new
    ring = redis.call('LRANGE', KEYS[2], 0, -1)
end
for place, contact in ipairs(contacts) do
    local number, rep
    if existing[place] then
        number, rep = string.match(existing[place], '^(%d+) (%S+)')
        number = tonumber(number)
    else
        number, rep = seq, ring[seq % #ring + 1]
        seq = seq + 1
        -- %d: a number that becomes text by itself loses digits from 100,000,000,000,000 on.
        fields[#fields + 1] = contact
        fields[#fields + 1] = string.format('%d %s %s', number, rep, details)
    end
    answers[#answers + 1] = number
    answers[#answers + 1] = rep
end
if new > 0 then
    redis.call('HSET', KEYS[3], unpack(fields))
end
return answers
