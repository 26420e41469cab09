#!/bin/sh
# SPDX-License-Identifier: MIT
# One translation unit that instantiates much of the standard library.
exec sh -c 'g++ -std=c++17 -O1 -S -o - -x c++ - <<EOF | cksum
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct node {
	std::map<int, std::vector<std::string>> m;
	std::unordered_map<std::string, std::function<int(int)>> f;
	int run(int x) { m[x].push_back("n"); f["k"] = [=](int y) {
		return x + y + N; }; return f["k"](x) + node<N - 1>().run(x); }
};
template <> struct node<0> { int run(int x) { return x; } };
int main() {
	std::regex r("a(b|c)*d");
	std::cout << node<40>().run(1) << std::regex_match("abcd", r);
}
EOF'
