"""What an administrator deploys, written and looked at before anything runs: helm values, Argo CD's files, a stack.

Pure: files in, texts and findings out; nothing here speaks to a cluster, a registry or a hub.
"""
