"""The rules that all dialects share: who may do what, what pictures and searches may be, what is counted.

Dialects parse a request, call these in the order that their contract prescribes, and render the result.
Plain functions are short reads and changes for the door's short lane; coroutines cross to its long one.
"""
