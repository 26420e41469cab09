#!/bin/sh
# SPDX-License-Identifier: MIT
# Hashes of hashes, sorted and joined.
exec perl -e '
my %h; my $x = 1;
for my $i (1 .. 300000) {
	$x = ($x * 1103515245 + 12345) % 2147483648;
	$h{"k$i"} = { a => $x, b => "v$x", c => [$i, $x] };
}
my $s = 0;
for my $k (sort { $h{$a}{a} <=> $h{$b}{a} } keys %h) {
	$s = ($s * 31 + $h{$k}{c}[0]) % 1000000007;
}
print scalar(keys %h), " $s\n";'
