global using OpsLog.Storage;
