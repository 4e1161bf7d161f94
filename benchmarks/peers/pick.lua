-- What both Lua peers do with a decoded answer: pick the covered fields, of each record where there
-- are records. No check of subject, period or type: that is the peers' advantage.

local function pick_fields(from, covered)
  local to = {}
  for i = 1, #covered do
    to[covered[i]] = from[covered[i]]
  end
  return to
end

local function pick(document, covered, rows)
  if not rows then
    return pick_fields(document, covered)
  end
  local from, to = document[rows], {}
  for i = 1, #from do
    to[i] = pick_fields(from[i], covered)
  end
  return { [rows] = to }
end
