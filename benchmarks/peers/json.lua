-- JSON for a Lua that has no cjson, as Envoy's has none: decode and encode, enough for answers that
-- are well-formed. Strings without an escape, nearly all, are cut out with one find.

local byte, find, sub, format, gsub = string.byte, string.find, string.sub, string.format, string.gsub
local concat = table.concat

local UNESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function unescape(text)
  text = gsub(text, "\\u(%x%x%x%x)", function(hex) return utf8(tonumber(hex, 16)) end)
  return (gsub(text, "\\(.)", function(c) return UNESCAPED[c] or c end))
end

local NULL = setmetatable({}, { __tostring = function() return "null" end })

local value

local function text_at(s, i) -- `i`: behind the opening quote; gives the text and what follows it
  local j = find(s, '"', i, true)
  while true do
    local k = j - 1
    while byte(s, k) == 92 do k = k - 1 end
    if (j - 1 - k) % 2 == 0 then break end
    j = find(s, '"', j + 1, true)
  end
  local text = sub(s, i, j - 1)
  if find(text, "\\", 1, true) then text = unescape(text) end
  return text, j + 1
end

local function object_at(s, i)
  local found = {}
  i = find(s, "%S", i)
  if byte(s, i) == 125 then return found, i + 1 end
  while true do
    local name
    name, i = text_at(s, find(s, '"', i, true) + 1)
    found[name], i = value(s, find(s, ":", i, true) + 1)
    i = find(s, "%S", i)
    if byte(s, i) == 125 then return found, i + 1 end
    i = i + 1
  end
end

local function array_at(s, i)
  local found, n = {}, 0
  i = find(s, "%S", i)
  if byte(s, i) == 93 then return found, i + 1 end
  while true do
    n = n + 1
    found[n], i = value(s, i)
    i = find(s, "%S", i)
    if byte(s, i) == 93 then return found, i + 1 end
    i = i + 1
  end
end

value = function(s, i)
  i = find(s, "%S", i)
  local c = byte(s, i)
  if c == 34 then return text_at(s, i + 1) end
  if c == 123 then return object_at(s, i + 1) end
  if c == 91 then return array_at(s, i + 1) end
  if c == 116 then return true, i + 4 end
  if c == 102 then return false, i + 5 end
  if c == 110 then return NULL, i + 4 end
  local _, j = find(s, "^[%d%.eE+-]+", i)
  return tonumber(sub(s, i, j)), j + 1
end

local function decode(s)
  return (value(s, 1))
end

local ESCAPED = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function escape(c)
  return ESCAPED[c] or format("\\u%04x", byte(c))
end

local function write(v, out, n)
  local t = type(v)
  if t == "string" then
    if find(v, '[%c"\\]') then v = gsub(v, '[%c"\\]', escape) end
    out[n + 1] = '"' .. v .. '"'
    return n + 1
  elseif t == "number" then
    out[n + 1] = format("%.14g", v)
    return n + 1
  elseif t == "table" and v ~= NULL then
    if v[1] ~= nil then
      out[n + 1] = "["
      n = write(v[1], out, n + 1)
      for i = 2, #v do
        out[n + 1] = ","
        n = write(v[i], out, n + 1)
      end
      out[n + 1] = "]"
      return n + 1
    end
    local opening = "{"
    for name, member in pairs(v) do
      out[n + 1] = opening
      n = write(name, out, n + 1)
      out[n + 1] = ":"
      n = write(member, out, n + 1)
      opening = ","
    end
    out[n + 1] = opening == "{" and "{}" or "}"
    return n + 1
  end
  out[n + 1] = tostring(v)
  return n + 1
end

local function encode(v)
  local out = {}
  return concat(out, "", 1, write(v, out, 0))
end
