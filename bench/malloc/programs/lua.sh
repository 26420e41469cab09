#!/bin/sh
# SPDX-License-Identifier: MIT
# Tables, strings and closures, as scripts use them.
exec lua5.4 -e '
local words = {}
for i = 1, 300000 do
  words[i] = "word" .. (i * 7919 % 50021)
end
local count = {}
for _, w in ipairs(words) do count[w] = (count[w] or 0) + 1 end
local keys = {}
for k in pairs(count) do keys[#keys + 1] = k end
table.sort(keys)
local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end
local function size(t)
  local n = 1
  for _, c in ipairs(t) do n = n + size(c) end
  return n
end
local sum = 0
for i = 1, 30 do sum = sum + size(tree(14)) end
local text = {}
for i = 1, 100000 do text[#text + 1] = keys[i % #keys + 1]:upper() end
print(#keys, sum, #table.concat(text, ","))'
