package z2m
